package bus

import (
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wxtoken/wxtoken/internal/logtest"
	"github.com/wxtoken/wxtoken/internal/natstest"
	"github.com/wxtoken/wxtoken/internal/secret"
)

const password = "pa55word"

// served is a server whose address is known after its end too.
type served struct {
	*server.Server
	host string // with its port
	port int
}

func (s served) shutDown() {
	s.Shutdown()
	s.WaitForShutdown()
}

// serve runs a server with a config file's text on a loopback port; 0 is any.
func serve(t *testing.T, port int, config string) served {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "nats.conf"), fmt.Sprintf("listen: \"127.0.0.1:%d\"\n%s", port, config))
	options, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	options.NoLog, options.NoSigs = true, true
	started, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	started.Start()
	t.Cleanup(served{Server: started}.shutDown)
	if !started.ReadyForConnections(patience) {
		t.Fatal("the server doesn't get ready")
	}
	addr := started.Addr().(*net.TCPAddr)
	return served{started, addr.String(), addr.Port}
}

// connect connects as a command does and closes at the end of the test.
func connect(t *testing.T, login Login, lines *logtest.Output) *nats.Conn {
	t.Helper()
	nc, err := Connect(login, "wxtoken test", logger(lines))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func checkNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{password, "pa55"} {
		if strings.Contains(text, secret) {
			t.Errorf("the password shows in:\n%s", text)
		}
	}
}

func TestLoginsThatServersTake(t *testing.T) {
	pki := newAuthority(t)
	serverCert, serverKey := pki.issue(t, "server")
	clientCert, clientKey := pki.issue(t, "client")
	user := newNKey(t, userKey)
	operator, creds := operatorMode(t)
	files := t.TempDir()
	users := fmt.Sprintf("authorization { user: orders, password: %s }", password)
	tls := fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", serverCert, serverKey, pki.ca())

	for _, c := range []struct {
		what, config string
		login        Login
	}{
		{"nobody in particular", "", Login{}},
		{"user and password", users, Login{User: "orders", Password: secret.New(password)}},
		{"user and password in the URL", users, Login{URL: "nats://orders:" + password + "@%s"}},
		{"token", fmt.Sprintf("authorization { token: %s }", password), Login{User: password}},
		{"token in the URL", fmt.Sprintf("authorization { token: %s }", password), Login{URL: "nats://" + password + "@%s"}},
		{"nkey", "authorization { users: [ { nkey: " + user.public() + " } ] }", Login{NKey: writeFile(t, filepath.Join(files, "user.nk"), user.secret()+"\n")}},
		{"credentials file", operator, Login{Creds: writeFile(t, filepath.Join(files, "user.creds"), creds)}},
		{"client certificate", tls, Login{CA: pki.ca(), Cert: clientCert, Key: clientKey}},
		{"certificate and password", tls + "\n" + users, Login{CA: pki.ca(), Cert: clientCert, Key: clientKey, User: "orders", Password: secret.New(password)}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := serve(t, 0, c.config)
			if c.login.URL == "" {
				c.login.URL = "nats://%s"
			}
			c.login.URL = fmt.Sprintf(c.login.URL, s.host)
			var lines logtest.Output
			nc := connect(t, c.login, &lines)
			wait(t, "the connection", nc.IsConnected)
			wait(t, "the log line", func() bool { return lines.Has("connected to NATS") && lines.Has(s.host) })
			checkNoSecret(t, lines.String())

			stranger, err := nats.Connect(s.ClientURL())
			if (err == nil) != (c.config == "") {
				t.Errorf("a stranger's connection: %v", err)
			}
			if err == nil {
				stranger.Close()
			}
		})
	}
}

func TestLoginsThatCannotBeUsed(t *testing.T) {
	pki, dir := newAuthority(t), t.TempDir()
	cert, key := pki.issue(t, "client")
	otherCert, _ := pki.issue(t, "other")
	junk := writeFile(t, filepath.Join(dir, "junk"), password)
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		what  string
		login Login
		want  []string
	}{
		{"missing credentials", Login{Creds: missing}, []string{"NATS credentials", missing, "no such file"}},
		{"junk as credentials", Login{Creds: junk}, []string{"NATS credentials", junk}},
		{"a folder as credentials", Login{Creds: dir}, []string{"NATS credentials", dir}},
		{"missing nkey", Login{NKey: missing}, []string{"NATS nkey", missing, "no such file"}},
		{"junk as nkey", Login{NKey: junk}, []string{"NATS nkey", junk}},
		{"an account's nkey", Login{NKey: writeFile(t, filepath.Join(dir, "account.nk"), newNKey(t, accountKey).secret())}, []string{"NATS nkey", "user seed"}},
		{"missing certificate", Login{Cert: missing, Key: key}, []string{"client certificate", missing, "no such file"}},
		{"certificate without key", Login{Cert: cert}, []string{"client certificate", cert, `key ""`}},
		{"key without certificate", Login{Key: key}, []string{"client certificate", key}},
		{"junk as certificate", Login{Cert: junk, Key: key}, []string{"client certificate", junk}},
		{"another's key", Login{Cert: otherCert, Key: key}, []string{"client certificate", otherCert, "does not match"}},
		{"missing CA", Login{CA: missing}, []string{missing, "no such file"}},
		{"junk as CA", Login{CA: junk}, []string{"root certificate", junk}},
		{"a port in words", Login{URL: "nats://orders:" + password + "@127.0.0.1:port"}, []string{"URL can't be read"}},
		{"a slash in the password", Login{URL: "nats://orders:" + password + "/x@127.0.0.1:4222"}, []string{"URL can't be read"}},
		{"a percent sign in it", Login{URL: "nats://orders:" + password + "%zz@127.0.0.1"}, []string{"URL can't be read", "%-encoded"}},
		{"a space in it", Login{URL: "nats://127.0.0.1,nats://orders:" + password + " x@127.0.0.1"}, []string{"URL can't be read"}},
	} {
		nc, err := Connect(c.login, "test", nil)
		if err == nil {
			nc.Close()
			t.Errorf("%s: no error", c.what)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q doesn't say %q", c.what, err, want)
			}
		}
		checkNoSecret(t, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
}

func TestAConnectionWaitsForNATSToCome(t *testing.T) {
	s := serve(t, 0, "")
	s.shutDown()
	var lines logtest.Output
	nc := connect(t, Login{URL: "nats://orders:" + password + "@" + s.host}, &lines)
	if nc.IsConnected() {
		t.Fatal("connected to nothing")
	}
	wait(t, "a word on the outage", func() bool { return lines.Has("NATS can't be reached") && lines.Has("connection refused") })
	serve(t, s.port, "")
	wait(t, "the connection", nc.IsConnected)
	wait(t, "a word on it", func() bool { return lines.Has("connected to NATS") })
	checkNoSecret(t, lines.String())
}

func TestAConnectionOutlivesARestart(t *testing.T) {
	config := fmt.Sprintf("authorization { user: orders, password: %s }", password)
	s := serve(t, 0, config)
	var lines logtest.Output
	nc := connect(t, Login{URL: "nats://orders:" + password + "@" + s.host}, &lines)
	wait(t, "the connection", nc.IsConnected)
	s.shutDown()
	wait(t, "the loss", func() bool { return !nc.IsConnected() })
	started := time.Now()
	serve(t, s.port, config)
	wait(t, "the connection", nc.IsConnected)
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("it took %v to find the server again", took)
	}
	wait(t, "a word on it", func() bool { return lines.Has("connected to NATS again") })
	checkNoSecret(t, lines.String())
}

// nats.go closes a connection for good that one server refused twice. A publisher of ours would have stood still after
// a server came up before its users were in its config, until somebody restarted it.
func TestAServerThatRefusesUsIsAskedAgain(t *testing.T) {
	refusing := "authorization { user: orders, password: another }"
	taking := fmt.Sprintf("authorization { user: orders, password: %s }", password)
	for _, first := range []string{"", taking} { // refused at the first connection, and after one that held
		s := serve(t, 0, refusing)
		if first != "" {
			s.shutDown()
			s = serve(t, s.port, first)
		}
		var lines logtest.Output
		nc := connect(t, Login{URL: "nats://" + s.host, User: "orders", Password: secret.New(password)}, &lines)
		if first != "" {
			wait(t, "the connection", nc.IsConnected)
			s.shutDown()
			s = serve(t, s.port, refusing)
		}
		refused := func() bool {
			v, err := s.Varz(nil)
			return err == nil && v.TotalConnections >= 4
		}
		wait(t, "several attempts", refused)
		said := func() int { return strings.Count(strings.ToLower(lines.String()), "authorization violation") }
		wait(t, "a word on it", func() bool { return said() > 0 })
		if said() > 1 {
			t.Errorf("said %d times:\n%s", said(), lines.String())
		}
		s.shutDown()
		serve(t, s.port, taking)
		wait(t, "the connection", nc.IsConnected)
		checkNoSecret(t, lines.String())
		nc.Close()
	}
}

func TestAServerOfAnotherAuthorityIsRefused(t *testing.T) {
	pki := newAuthority(t)
	cert, key := pki.issue(t, "server")
	s := serve(t, 0, fmt.Sprintf("tls { cert_file: %q, key_file: %q }", cert, key))
	var lines logtest.Output
	nc := connect(t, Login{URL: "nats://" + s.host, CA: newAuthority(t).ca()}, &lines)
	wait(t, "a word on it", func() bool { return lines.Has("certificate") })
	if nc.IsConnected() {
		t.Error("connected to a server of an unknown authority")
	}
}

func TestTheConnectionBearsItsName(t *testing.T) {
	s := serve(t, 0, "")
	nc := connect(t, Login{URL: s.host}, new(logtest.Output)) // a URL without scheme, as the nats command takes it
	wait(t, "the connection", nc.IsConnected)
	connections, err := s.Connz(nil)
	if err != nil || len(connections.Conns) != 1 || connections.Conns[0].Name != "wxtoken test" {
		t.Errorf("the server sees %+v, %v", connections, err)
	}
}

func TestOfSeveralServersOneIsEnough(t *testing.T) {
	gone, here := serve(t, 0, ""), serve(t, 0, "")
	gone.shutDown()
	nc := connect(t, Login{URL: "nats://" + gone.host + ", nats://" + here.host}, new(logtest.Output))
	wait(t, "the connection", nc.IsConnected)
}

func TestAHalfOpenConnectionIsNoticed(t *testing.T) {
	natstest.Bubble(t, func(t *testing.T, s *natstest.Server) {
		w := newHalfOpen(t, s)
		time.Sleep(time.Minute)
		if n := w.nc.Stats().Reconnects; n != 0 {
			t.Fatalf("an idle connection was given up %d times", n)
		}
		w.swallow()
		time.Sleep(35 * time.Second)
		if n := w.nc.Stats().Reconnects; n != 1 || !w.nc.IsConnected() {
			t.Errorf("after 35 s without an answer there were %d reconnects, connected now: %v", n, w.nc.IsConnected())
		}
	})
}

func TestRepliesTravelUnderThePrefix(t *testing.T) {
	s := serve(t, 0, `authorization { users: [
		{user: echo, password: e}
		{user: orders, password: o, permissions: {publish: echo, subscribe: "_INBOX.orders.>"}}
	]}`)
	echo := connect(t, Login{URL: s.ClientURL(), User: "echo", Password: secret.New("e")}, &logtest.Output{})
	if _, err := echo.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := echo.Flush(); err != nil {
		t.Fatal(err)
	}
	login := Login{URL: s.ClientURL(), User: "orders", Password: secret.New("o"), InboxPrefix: "_INBOX.orders"}
	if reply, err := connect(t, login, &logtest.Output{}).Request("echo", []byte("hi"), patience); err != nil || string(reply.Data) != "hi" {
		t.Errorf("Request = %v, %v", reply, err)
	}
	for _, prefix := range []string{"_INBOX.*", "_INBOX.orders."} {
		login.InboxPrefix = prefix
		if _, err := Connect(login, "test", nil); err == nil {
			t.Errorf("prefix %q is taken", prefix)
		}
	}
}
