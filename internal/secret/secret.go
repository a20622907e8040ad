// Package secret holds strings that must not be shown: AppSecrets and access tokens.
//
// A String prints, logs and marshals as a fixed placeholder, whatever the verb and however deeply it is nested. The
// text sits behind a pointer, because fmt calls no methods on unexported fields but prints nested pointers as addresses.
package secret

import "log/slog"

const placeholder = "[redacted]"

// String is a text that only Reveal gives away. The zero value is empty.
type String struct{ text *string }

// New keeps text from being shown.
func New(text string) String { return String{&text} }

// Reveal returns the text itself. Hand it to nothing that prints, logs or wraps it in an error.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero tells whether the text is empty.
func (s String) IsZero() bool { return s.Reveal() == "" }

// Equal tells whether both hold the same text.
func (s String) Equal(other String) bool { return s.Reveal() == other.Reveal() }

func (s String) String() string               { return placeholder }
func (s String) GoString() string             { return placeholder }
func (s String) LogValue() slog.Value         { return slog.StringValue(placeholder) }
func (s String) MarshalText() ([]byte, error) { return []byte(placeholder), nil }
