package wxsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Content types as on the real platform: "encoding" where others say "charset".
const (
	typeJSON  = "application/json; encoding=utf-8"
	typePlain = "text/plain"
	typeHTML  = "text/html; charset=utf-8"
)

// reply is an answer before it is written.
type reply struct {
	status      int
	contentType string
	disposition string
	body        []byte
	stream      io.Reader // instead of body, length bytes of it
	length      int64
	code        int

	hang, drop bool // instead of an answer
}

type errorBody struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

func (c *call) ok() reply { return c.json(errorBody{0, "ok"}) }

func (c *call) refuse(code int) reply { return c.refuseAs(code, c.textOf(code)) }

func (c *call) refuseAs(code int, text string) reply {
	rid := newRid(c.begun)
	answer := c.json(errorBody{code, text + " rid: " + rid})
	answer.code = code
	if c.endpoint.plain {
		answer.contentType = typePlain
	}
	c.s.failures.add(c, rid, answer.body)
	c.s.log.Info("refused", "appid", c.owner().appid, "path", shortened(c.r.URL.Path), "errcode", code, "rid", rid, "token_id", c.tokenID())
	return answer
}

func (c *call) tokenID() string {
	if c.token == nil {
		return ""
	}
	return c.token.id
}

func shortened(s string) string { return s[:min(len(s), 100)] }

func (c *call) json(v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs always marshal
	}
	return reply{contentType: typeJSON, body: body}
}

func (c *call) write(a reply, slow *Fault) {
	length := a.length
	if a.stream == nil {
		length = int64(len(a.body))
		a.stream = bytes.NewReader(a.body)
	}
	h := c.w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	if a.disposition != "" {
		h.Set("Content-Disposition", a.disposition)
	}
	c.w.WriteHeader(orDefault(a.status, http.StatusOK))
	if slow != nil {
		c.writeSlowly(a.stream, orDefault(slow.Delay, slowBodyStep))
		return
	}
	io.Copy(c.w, a.stream)
}

func (c *call) writeSlowly(body io.Reader, step time.Duration) {
	flusher := http.NewResponseController(c.w)
	var one [1]byte
	for {
		if _, err := io.ReadFull(body, one[:]); err != nil {
			return
		}
		flusher.Flush() // what came before; the first time, the headers
		c.pause(step)
		if _, err := c.w.Write(one[:]); err != nil {
			return
		}
	}
}
