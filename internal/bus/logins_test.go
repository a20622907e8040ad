package bus

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An nkey is an Ed25519 key in the spelling of NATS.
type nkey struct {
	kind byte
	seed [32]byte
}

// What a key is for: the first letter of its spelling.
const (
	operatorKey = 14 << 3 // O
	accountKey  = 0       // A
	userKey     = 20 << 3 // U
	seedMark    = 18 << 3 // S
)

func newNKey(t *testing.T, kind byte) nkey {
	t.Helper()
	k := nkey{kind: kind}
	if _, err := rand.Read(k.seed[:]); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k nkey) private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.seed[:]) }

func (k nkey) public() string {
	return spell(append([]byte{k.kind}, k.private().Public().(ed25519.PublicKey)...))
}

func (k nkey) secret() string {
	return spell(append([]byte{seedMark | k.kind>>5, k.kind & 31 << 3}, k.seed[:]...))
}

func spell(raw []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(binary.LittleEndian.AppendUint16(raw, crc16(raw)))
}

func crc16(data []byte) (crc uint16) {
	for _, b := range data {
		crc ^= uint16(b) << 8
		for range 8 {
			carry := crc & 0x8000
			crc <<= 1
			if carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// jwt is a claim about the subject, signed by k.
func (k nkey) jwt(t *testing.T, subject nkey, claims map[string]any) string {
	t.Helper()
	claims["version"] = 2
	body, err := json.Marshal(map[string]any{"jti": "test", "iat": time.Now().Unix(), "iss": k.public(), "sub": subject.public(), "name": "test", "nats": claims})
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(k.private(), []byte(text)))
}

// operatorMode is the config of a server that knows one account, and the credentials of a user in it.
func operatorMode(t *testing.T) (config, creds string) {
	t.Helper()
	operator, account, user := newNKey(t, operatorKey), newNKey(t, accountKey), newNKey(t, userKey)
	config = fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload { %s: %s }\n",
		operator.jwt(t, operator, map[string]any{"type": "operator"}),
		account.public(),
		operator.jwt(t, account, map[string]any{"type": "account", "limits": map[string]any{
			"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
		}}))
	creds = fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n",
		account.jwt(t, user, map[string]any{"type": "user", "subs": -1, "data": -1, "payload": -1}), user.secret())
	return config, creds
}

// authority signs certificates for loopback.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{dir: t.TempDir(), key: newECDSA(t)}
	a.cert = &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "test authority"},
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	a.write(t, "ca.pem", "CERTIFICATE", a.sign(t, a.cert, a.key))
	return a
}

func newECDSA(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a authority) sign(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a authority) ca() string { return filepath.Join(a.dir, "ca.pem") }

// issue writes a certificate and its key, and returns their paths.
func (a authority) issue(t *testing.T, name string) (cert, key string) {
	t.Helper()
	k := newECDSA(t)
	der := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: name},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, k)
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return a.write(t, name+".pem", "CERTIFICATE", der), a.write(t, name+"-key.pem", "EC PRIVATE KEY", keyDER)
}

func (a authority) write(t *testing.T, name, kind string, der []byte) (path string) {
	t.Helper()
	return writeFile(t, filepath.Join(a.dir, name), string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
