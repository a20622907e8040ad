package wxsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const controlPrefix = "/_sim/"

func isControl(path string) bool {
	return strings.HasPrefix(path, controlPrefix) || path+"/" == controlPrefix
}

func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/_sim")
	if name == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, help(orDefault(r.Host, "127.0.0.1:9401")))
		return
	}
	c, allowed := find(name[1:], r.Method)
	switch {
	case len(allowed) == 0:
		sendJSON(w, http.StatusNotFound, map[string]string{"error": "no such endpoint: GET /_sim/ lists them"})
	case c == nil:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		sendJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "use " + strings.Join(allowed, " or ")})
	default:
		answer, err := c.serve(s, r)
		if err != nil {
			sendJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		sendJSON(w, http.StatusOK, orDefault(answer, any(map[string]bool{"ok": true})))
	}
}

func find(path, method string) (found *command, allowed []string) {
	for _, c := range commands() {
		if c.path == path {
			allowed = append(allowed, c.method)
			if c.method == method {
				found = &c
			}
		}
	}
	return found, allowed
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // our own types always marshal
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// decode reads the request's JSON into v, strictly: what isn't known is a mistake that would go unnoticed.
func decode(r *http.Request, v any) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxJSONBody))
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = d.Decode(v)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil && d.More():
		return errors.New("body: more than one JSON value")
	case err == nil:
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Errorf("field %s: %s where a %s should be", wrongType.Field, wrongType.Value, wrongType.Type)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("field %s is unknown; the fields are %s", strings.Trim(name, `"`), strings.Join(fieldNames(v), ", "))
	}
	return fmt.Errorf("body: not the JSON object that it should be, with the fields %s: %w", strings.Join(fieldNames(v), ", "), err)
}

// fieldNames are those that v has in JSON.
func fieldNames(v any) []string {
	data, _ := json.Marshal(v)
	var fields map[string]json.RawMessage
	json.Unmarshal(data, &fields)
	return slices.Sorted(maps.Keys(fields))
}

// queryOf reads the URL's parameters, of which no others than those named may be there.
func queryOf(r *http.Request, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	for name := range query {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("field %.60s is unknown; the fields are %s", name, strings.Join(names, ", "))
		}
	}
	return query, nil
}

// number reads a parameter that may be missing.
func number(query url.Values, name string) (uint64, error) {
	text := query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("field %s: %.40q is no number", name, text)
	}
	return n, nil
}

// named checks an appid, which may be left out where there is only one account.
func (s *Server) named(appid string) (string, error) {
	if appid == All {
		return appid, nil
	}
	if appid != "" {
		_, err := s.known(appid)
		return appid, err
	}
	if ids := s.AppIDs(); len(ids) == 1 {
		return ids[0], nil
	}
	return "", errors.New("field appid is missing: name one, or * for all accounts")
}
