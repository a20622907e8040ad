package stage

import (
	"bytes"
	"io"
	"os"
)

// logReader follows a log file.
type logReader struct {
	offset int64
	life   int // how many processes have begun to write to it
}

// next gives each whole line that is new to take.
func (r *logReader) next(path string, take func(line []byte)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, r.offset, 1<<40))
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	r.offset += int64(whole)
	for line := range bytes.Lines(data[:whole]) {
		take(bytes.TrimSpace(line))
	}
	return nil
}
