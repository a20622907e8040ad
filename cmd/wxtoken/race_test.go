//go:build race

package main

// raceDetector makes a process several times as large, and as slow.
const raceDetector = true
