// Package model holds a Promela model of the refresh path of package publisher, and the test that checks it with spin:
// see README.md.
package model
