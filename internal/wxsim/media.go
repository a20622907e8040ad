package wxsim

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

const (
	defaultMediaSize = 1024
	mediaLine        = 1024
)

var mediaFiller = strings.Repeat(".", mediaLine)

var mediaIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// Media returns the bytes that GET /cgi-bin/media/get?media_id=…&size=… sends: lines of 1024 bytes, each the media_id, a
// blank, the line's number in 16 hex digits, dots and a line feed; the last one is cut off at size. So any program can
// tell what has to arrive, and lost or doubled parts show.
func Media(mediaID string, size int64) io.Reader {
	return io.LimitReader(&mediaLines{id: mediaID}, size)
}

// MediaSHA256 is the SHA-256, in hex, of what Media gives.
func MediaSHA256(mediaID string, size int64) string {
	sum := sha256.New()
	io.Copy(sum, Media(mediaID, size)) // neither side fails
	return hex.EncodeToString(sum.Sum(nil))
}

type mediaLines struct {
	id     string
	number uint64
	line   []byte
	rest   []byte // what of the line is still to be read
}

func (m *mediaLines) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(m.rest) == 0 {
			m.line = fmt.Appendf(m.line[:0], "%s %016x", m.id, m.number)
			m.line = append(m.line, mediaFiller[:max(0, mediaLine-1-len(m.line))]...)
			m.line = append(m.line, '\n')
			m.number++
			m.rest = m.line
		}
		k := copy(p[n:], m.rest)
		m.rest = m.rest[k:]
		n += k
	}
	return n, nil
}

func serveMediaGet(c *call) reply {
	if code := c.checkToken(); code != 0 {
		return c.refuse(code)
	}
	id := c.query.Get("media_id")
	if !mediaIDForm.MatchString(id) {
		return c.refuse(CodeInvalidMediaID)
	}
	size := int64(defaultMediaSize)
	if text := c.query.Get("size"); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil || size < 0 {
			return c.refuse(CodeInvalidArgs)
		}
	}
	return reply{
		contentType: "image/jpeg",
		disposition: fmt.Sprintf("attachment; filename=%q", id+".jpg"),
		stream:      Media(id, size),
		length:      size,
	}
}

// serveMediaUpload takes a multipart form, of which the first file counts, or any other body as the file itself.
func serveMediaUpload(c *call) reply {
	if code := c.checkToken(); code != 0 {
		c.discardBody()
		return c.refuse(code)
	}
	file, err := uploadedFile(c.r)
	if err != nil {
		c.discardBody()
		return c.refuse(CodeMediaMissing)
	}
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return c.refuse(CodeMediaMissing) // a form without end, or a caller who left
	}
	c.discardBody() // what follows the file
	if size == 0 {
		return c.refuse(CodeMediaEmpty)
	}
	return c.json(struct {
		Type      string `json:"type"`
		MediaID   string `json:"media_id"`
		CreatedAt int64  `json:"created_at"`
		Size      int64  `json:"size"`
		SHA256    string `json:"sha256"`
	}{orDefault(c.query.Get("type"), "file"), newMediaID(), c.begun.Unix(), size, hex.EncodeToString(sum.Sum(nil))})
}

func uploadedFile(r *http.Request) (io.Reader, error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return r.Body, nil
	}
	if params["boundary"] == "" {
		return nil, errors.New("no boundary")
	}
	form := multipart.NewReader(bufio.NewReaderSize(r.Body, 64<<10), params["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" || part.FormName() == "media" {
			return part, nil
		}
	}
}

func newMediaID() string {
	var b []byte
	for range 6 {
		b = fmt.Appendf(b, "%08x", rand.Uint64())
	}
	return base64.RawURLEncoding.EncodeToString(b)[:64]
}
