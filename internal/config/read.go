package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"

	"github.com/kelseyhightower/envconfig"
)

// read fills vars, a pointer to a struct of texts, from the environment.
func read(vars any) {
	if err := envconfig.Process("", vars); err != nil {
		panic("config: a variable is not read as text") // a mistake in vars.go, which tests would find
	}
	fillDefaults(reflect.ValueOf(vars).Elem())
}

// fillDefaults treats variables that are set but empty as not set; envconfig lets them beat the default.
func fillDefaults(s reflect.Value) {
	for i := range s.NumField() {
		field, about := s.Field(i), s.Type().Field(i)
		switch {
		case about.Anonymous:
			fillDefaults(field)
		case field.String() == "":
			field.SetString(about.Tag.Get("default"))
		}
	}
}

// usage writes the table of a command's variables.
func usage(out io.Writer, vars any) error {
	table := tabwriter.NewWriter(out, 1, 0, 2, ' ', 0)
	const row = "{{range .}}  {{usage_key .}}\t{{usage_default .}}\t{{usage_description .}}\n{{end}}"
	if err := envconfig.Usagef("", vars, table, "  VARIABLE\tDEFAULT\t\n"+row); err != nil {
		return err
	}
	return table.Flush()
}

// mistakes collects what is wrong, each with the name of its variable.
type mistakes []error

func (m *mistakes) add(variable, format string, args ...any) {
	*m = append(*m, fmt.Errorf("%s: %w", variable, fmt.Errorf(format, args...)))
}

func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return &Error{Mistakes: m}
}

// Error is a configuration that can't be used. It names every mistake, and shows the value of no secret.
type Error struct{ Mistakes []error }

func (e *Error) Error() string   { return errors.Join(e.Mistakes...).Error() }
func (e *Error) Unwrap() []error { return e.Mistakes }
