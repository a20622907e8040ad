package agent

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// reply is the body of WeChat's reply on its way to the client. Tokens that it echoes become asterisks, so its length
// stays. It also finds how the call ended.
type reply struct {
	body   io.ReadCloser
	call   *call
	tokens []string
	ended  func() // called when all was read, and the trailer has come
	judged bool   // the beginning was looked at
	tail   []byte // read, and perhaps the beginning of a token

	rest []byte // for readers with little room: read, and not yet handed on
	err  error  // comes after rest
}

// roomNeeded is the least that Read can work in: a token's beginning and something more.
const roomNeeded = 4 << 10

func (r *reply) Read(p []byte) (int, error) {
	if len(p) >= roomNeeded && len(r.rest) == 0 && r.err == nil {
		return r.read(p)
	}
	if len(r.rest) == 0 && r.err == nil {
		room := make([]byte, roomNeeded)
		n, err := r.read(room)
		r.rest, r.err = room[:n], err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if len(r.rest) > 0 {
		return n, nil
	}
	return n, r.err
}

// read needs room in p for more than a token.
func (r *reply) read(p []byte) (int, error) {
	for {
		had := copy(p, r.tail)
		n, err := r.body.Read(p[had:])
		data := p[:had+n]
		r.judge(data, err)
		r.hide(data)
		if err != nil {
			r.ended()
			r.tail = nil
			return len(data), err
		}
		whole := len(data) - r.unfinished(data)
		r.tail = append(r.tail[:0], data[whole:]...)
		if whole > 0 {
			return whole, nil
		}
	}
}

func (r *reply) Close() error {
	if !r.judged {
		r.judge(nil, io.EOF) // a reply without body, to HEAD
	}
	return r.body.Close()
}

// hide overwrites the tokens in data.
func (r *reply) hide(data []byte) {
	for _, token := range r.tokens {
		for rest := data; token != ""; {
			i := bytes.Index(rest, []byte(token))
			if i < 0 {
				break
			}
			for k := range token {
				rest[i+k] = '*'
			}
			rest = rest[i+len(token):]
		}
	}
}

// unfinished is how many bytes at the end of data may be the beginning of a token.
func (r *reply) unfinished(data []byte) int {
	most := 0
	for _, token := range r.tokens {
		for n := min(len(token)-1, len(data), roomNeeded/2); n > most; n-- {
			if string(data[len(data)-n:]) == token[:n] {
				most = n
				break
			}
		}
	}
	return most
}

// judge finds the call's outcome in the beginning of the body, and in its end.
func (r *reply) judge(data []byte, err error) {
	c := r.call
	if !r.judged && (len(data) > 0 || err != nil) {
		r.judged = true
		c.errcode = errcodeIn(data)
		c.outcome = outcomeOf(c.status, c.errcode)
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
	case c.status != 0:
		c.outcome = cutOff
	}
}

func outcomeOf(status, errcode int) outcome {
	switch {
	case status >= http.StatusInternalServerError:
		return httpError
	case errcode == 40001 || errcode == 40014 || errcode == 42001:
		return tokenRefused
	case errcode != 0:
		return errCode
	}
	return fine
}

// errcodeIn is the errcode that a reply begins with, as WeChat's errors do; 0 if it doesn't.
func errcodeIn(data []byte) int {
	rest, found := bytes.CutPrefix(bytes.TrimLeft(data, " \t\r\n{"), []byte(`"errcode":`))
	if !found {
		return 0
	}
	rest = bytes.TrimLeft(rest, " ")
	end := bytes.IndexAny(rest, ",} \r\n")
	if end < 0 {
		return 0
	}
	code, _ := strconv.Atoi(string(rest[:end])) // or 0
	return code
}
