package wire

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// What version 1 wrote is in testdata/v1 and never changes: during a rolling upgrade two versions read each other. Each
// case decodes what that version wrote, also with a field that a later one may add, and writes it as it was.
func TestOlderAndLaterVersionsUnderstandEachOther(t *testing.T) {
	for name, again := range map[string]func([]byte) ([]byte, error){
		"value.json": func(data []byte) ([]byte, error) {
			v, err := DecodeValue(data)
			if err != nil {
				return nil, err
			}
			return v.Encode()
		},
		"request.json": func(data []byte) ([]byte, error) {
			request, err := DecodeRequest(data)
			if err != nil {
				return nil, err
			}
			return json.Marshal(request)
		},
		"reply.json": through[Reply],
		"fault.json": through[Fault],
		"event.json": through[Event],
	} {
		written, err := os.ReadFile("testdata/v1/" + name)
		if err != nil {
			t.Fatal(err)
		}
		written = bytes.TrimSpace(written)
		later := bytes.Replace(written, []byte("{"), []byte(`{"of_a_later_version":{"deep":[1,2]},`), 1)
		for what, data := range map[string][]byte{"as written": written, "with a later field": later} {
			got, err := again(data)
			if err != nil || !bytes.Equal(got, written) {
				t.Errorf("%s, %s: %v\n%s, want\n%s", name, what, err, got, written)
			}
		}
	}
}

func through[T any](data []byte) ([]byte, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
