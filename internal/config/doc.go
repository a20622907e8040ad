// Package config reads the environment of each command: what the variables mean is written once, in the structs of
// vars.go, from which envconfig fills them and draws the table of -h.
//
// envconfig would stop at the first mistake and quote its value, be it a secret. So every variable is read as text, and
// checked here, all of them before anything is said.
package config
