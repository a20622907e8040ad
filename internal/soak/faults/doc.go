// Package faults is what a soak does to the parts of a stage. Each lane strikes one kind of part, one fault after the
// other, with pauses; the lanes go on side by side, so that faults of different kinds meet. What is struck, and when, is
// chosen by a seed. A fault that bars every way to new tokens ends before tokens do: what is longer is no test.
package faults
