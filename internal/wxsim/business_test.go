package wxsim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestBusinessEndpoints(t *testing.T) {
	w := newWorld(t)
	token := w.stable().Token
	for _, c := range []struct {
		method, path string
		bad          int // the code for the other method
	}{
		{"GET", "/cgi-bin/getcallbackip", 43001},
		{"GET", "/cgi-bin/get_api_domain_ip", 43001},
		{"GET", "/cgi-bin/user/info", 43001},
		{"POST", "/cgi-bin/message/custom/send", 43002},
		{"POST", "/cgi-bin/menu/create", 43002},
		{"POST", "/wxa/getwxacodeunlimit", 0},
		{"GET", "/datacube/getusersummary", 0},
	} {
		body, other := "", "POST"
		if c.method == "POST" {
			body, other = `{"touser":"x"}`, "GET"
		}
		call := func(method, token string) said { return do(w.client, method, c.path+"?access_token="+token, body) }
		code(t, c.path, call(c.method, token), 0)
		code(t, c.path+" with a bad token", call(c.method, "bad"), 40001)
		code(t, c.path+" without a token", do(w.client, c.method, c.path, body), 41001)
		code(t, c.path+" by "+other, call(other, token), c.bad)
	}
	if got := do(w.client, "POST", "/cgi-bin/any/thing?access_token="+token, "{}"); got.Body != `{"errcode":0,"errmsg":"ok"}` {
		t.Errorf("generic call: %s", got.Body)
	}
	got := w.check("bad")
	if want := "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r rid: "; !strings.HasPrefix(got.ErrMsg, want) {
		t.Errorf("errmsg %q", got.ErrMsg)
	}
	for _, path := range []string{"/", "/nothing", "/cgi-bin/", "/wxax/y"} {
		code(t, path, do(w.client, "GET", path+"?access_token="+token, ""), 40066)
	}
	if st := w.stats(appid); st.Checks != 4 || st.Accepted != 11 { // calls with unknown tokens are nobody's
		t.Errorf("stats %+v", st)
	}
	if st := w.stats(All); st.Checks != 9 || st.Refused[40066] != 4 {
		t.Errorf("stats of all %+v", st)
	}
}

func TestTokenInHeaderOrBodyIsNone(t *testing.T) {
	w := newWorld(t)
	token := w.stable().Token
	req, _ := http.NewRequest("POST", "https://api.weixin.qq.com/cgi-bin/menu/create", strings.NewReader("access_token="+token))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := w.client.Do(req)
	fail(t, err)
	defer resp.Body.Close()
	if data, _ := io.ReadAll(resp.Body); !bytes.Contains(data, []byte("41001")) {
		t.Errorf("%s", data)
	}
}

func TestMediaBytesAreDocumented(t *testing.T) {
	got, err := io.ReadAll(Media("m1", 2048+10))
	fail(t, err)
	filler := strings.Repeat(".", 1024-len("m1 0000000000000000\n"))
	if want := "m1 0000000000000000" + filler + "\nm1 0000000000000001" + filler + "\nm1 0000000"; string(got) != want {
		t.Errorf("Media gives %q, want %q", got, want)
	}
	if again, _ := io.ReadAll(iotest.OneByteReader(Media("m1", 2048+10))); !bytes.Equal(again, got) {
		t.Error("Media depends on how it is read")
	}
}

// heap is what is in use now.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

const big = 64 << 20

func TestMediaDownloadStreams(t *testing.T) {
	w := newWorld(t)
	token := w.stable().Token
	before := heap()
	resp, err := w.client.Get("https://api.weixin.qq.com/cgi-bin/media/get?access_token=" + token + "&media_id=m1&size=67108864")
	fail(t, err)
	defer resp.Body.Close()
	sum := sha256.New()
	half, err := io.CopyN(sum, resp.Body, big/2)
	fail(t, err)
	if grown := int64(heap()) - int64(before); grown > 4<<20 {
		t.Errorf("half of the download took %d bytes of memory", grown)
	}
	rest, err := io.Copy(sum, resp.Body)
	fail(t, err)
	if half+rest != big || resp.ContentLength != big || resp.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("%d bytes of %d, %v", half+rest, resp.ContentLength, resp.Header)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != MediaSHA256("m1", big) {
		t.Error("the bytes are others than documented")
	}
}

func TestMediaErrorsArePlainText(t *testing.T) {
	w := newWorld(t)
	token := w.stable().Token
	for path, want := range map[string]int{
		"/cgi-bin/media/get?media_id=m1":                               41001,
		"/cgi-bin/media/get?media_id=m1&access_token=bad":              40001,
		"/cgi-bin/media/get?access_token=" + token:                     40007,
		"/cgi-bin/media/get?media_id=a%2Fb&access_token=" + token:      40007,
		"/cgi-bin/media/get?media_id=m1&size=-1&access_token=" + token: 40097,
		"/cgi-bin/media/get?media_id=m1&size=x&access_token=" + token:  40097,
	} {
		got := do(w.client, "GET", path, "")
		if code(t, path, got, want); got.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%s: %v", path, got.Header)
		}
	}
	if got := do(w.client, "GET", "/cgi-bin/media/get?media_id=m1&access_token="+token, ""); len(got.Body) != defaultMediaSize {
		t.Errorf("without size: %d bytes", len(got.Body))
	}
	if got := do(w.client, "GET", "/cgi-bin/media/get?media_id=m1&size=0&access_token="+token, ""); got.Err != nil || got.Body != "" {
		t.Errorf("empty media: %+v", got)
	}
}

type uploaded struct {
	said
	Type    string `json:"type"`
	MediaID string `json:"media_id"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

func (w *world) upload(token, kind string, body io.Reader) uploaded {
	w.t.Helper()
	resp, err := w.client.Post("https://api.weixin.qq.com/cgi-bin/media/upload?type=image&access_token="+token, kind, body)
	w.must(err)
	defer resp.Body.Close()
	var got uploaded
	w.must(json.NewDecoder(resp.Body).Decode(&got))
	got.Status = resp.StatusCode
	return got
}

func form(part func(*multipart.Writer) (io.Writer, error), content io.Reader) (string, io.Reader) {
	pr, pw := io.Pipe()
	m := multipart.NewWriter(pw)
	go func() {
		field, err := part(m)
		if err == nil {
			_, err = io.Copy(field, content)
		}
		if err == nil {
			err = m.Close()
		}
		pw.CloseWithError(err)
	}()
	return m.FormDataContentType(), pr
}

func TestMediaUploadStreams(t *testing.T) {
	w := newWorld(t)
	token, want := w.stable().Token, MediaSHA256("u1", big)
	file := func(m *multipart.Writer) (io.Writer, error) { return m.CreateFormFile("media", "a.jpg") }
	before := heap()
	peak := uint64(0)
	watched := io.MultiReader(Media("u1", big), readerFunc(func([]byte) (int, error) { peak = heap(); return 0, io.EOF }))
	kind, body := form(file, watched)
	got := w.upload(token, kind, body)
	if got.Type != "image" || got.Size != big || got.SHA256 != want || got.MediaID == "" {
		t.Errorf("form: %+v", got)
	}
	if grown := int64(peak) - int64(before); grown > 4<<20 {
		t.Errorf("the upload took %d bytes of memory", grown)
	}
	raw := w.upload(token, "image/jpeg", Media("u1", big))
	if raw.Size != big || raw.SHA256 != want || raw.MediaID == got.MediaID {
		t.Errorf("raw: %+v", raw)
	}
	if again := do(w.client, "GET", "/cgi-bin/media/get?access_token="+token+"&media_id="+raw.MediaID, ""); len(again.Body) != defaultMediaSize {
		t.Errorf("download of what was uploaded: %+v", again)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMediaUploadRefusals(t *testing.T) {
	w := newWorld(t)
	token := w.stable().Token
	text := func(m *multipart.Writer) (io.Writer, error) { return m.CreateFormField("note") }
	kind, body := form(text, strings.NewReader("no file"))
	for name, c := range map[string]struct {
		got  uploaded
		want int
	}{
		"no file":     {w.upload(token, kind, body), 41005},
		"no boundary": {w.upload(token, "multipart/form-data", strings.NewReader("x")), 41005},
		"no end":      {w.upload(token, "multipart/form-data; boundary=b", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"media\"\r\n\r\nhalf")), 41005},
		"empty":       {w.upload(token, "image/jpeg", http.NoBody), 44001},
		"bad token":   {w.upload("bad", "image/jpeg", strings.NewReader("x")), 40001},
	} {
		if c.got.ErrCode != c.want {
			t.Errorf("%s: %+v, want %d", name, c.got, c.want)
		}
	}
}
