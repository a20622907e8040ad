// Command keys makes NATS keys of one's own for docker-compose.yml, whose demo keys everybody has:
//
//	go run ./deploy/keys wx0123456789abcdef
//
// It writes deploy/secrets: nats.conf as deploy/nats.conf is, but with the new public keys and the AppID, the seed of each
// user (publisher.nk …), and routes.conf, with which the servers know one another. It overwrites nothing.
package main

import (
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/nats-io/nkeys"
)

// demoAppID is the account that deploy/nats.conf gives rights on.
const demoAppID = "wx0123456789abcdef"

const next = `%s is made. Put the AppSecret into %[1]s/appsecret, then:

  WX_APPID=%s docker compose -f docker-compose.yml -f docker-compose.wechat.yml up --build
`

func main() {
	log.SetFlags(0)
	from := flag.String("from", "deploy/nats.conf", "the configuration to copy")
	to := flag.String("to", "deploy/secrets", "the folder to make")
	flag.Parse()
	appid := flag.Arg(0)
	if flag.NArg() != 1 || !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(appid) {
		log.Fatal("usage: go run ./deploy/keys [-from deploy/nats.conf] [-to deploy/secrets] APPID")
	}
	if err := write(*from, *to, appid); err != nil {
		log.Fatalf("keys: %v", err)
	}
	fmt.Printf(next, *to, appid)
}

// user finds what names a user, in the comment above its key: "# publisher: …", then "nkey: U…".
var user = regexp.MustCompile(`# ([a-z]+): .*\n\s*nkey: (\w+)\n`)

func write(from, to, appid string) error {
	conf, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err // it exists: keys that are in use would be lost
	}
	text := strings.ReplaceAll(string(conf), demoAppID, appid)
	for _, found := range user.FindAllStringSubmatch(text, -1) {
		public, err := newUser(filepath.Join(to, found[1]+".nk"))
		if err != nil {
			return err
		}
		text = strings.Replace(text, found[2], public, 1)
	}
	return errors.Join(
		writeSecret(filepath.Join(to, "nats.conf"), text),
		writeSecret(filepath.Join(to, "routes.conf"), routes(rand.Text())),
	)
}

// newUser writes a new seed and returns its public key.
func newUser(path string) (public string, err error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return "", err
	}
	seed, err := pair.Seed()
	if err != nil {
		return "", err
	}
	public, err = pair.PublicKey()
	return public, errors.Join(err, writeSecret(path, string(seed)+"\n"))
}

// routes is what stands in cluster { … } and differs from one installation to the next.
func routes(password string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "authorization { user: route, password: %q }\nroutes: [\n", password)
	for i := range 3 {
		fmt.Fprintf(&b, "  \"nats://route:%s@nats-%d:6222\"\n", password, i+1)
	}
	b.WriteString("]\n")
	return b.String()
}

// writeSecret makes a file that a container's user can read. On this machine nobody else can: the folder is closed to them.
func writeSecret(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }
