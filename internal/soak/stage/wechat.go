package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/soak/record"
)

// WeChat is the simulator.
type WeChat struct {
	*Process
	addr     string
	life     time.Duration // of a token
	accounts []Account
	book     *record.Book
	read     logReader
}

// Account is one of the accounts of a soak.
type Account struct {
	AppID, Secret, Endpoint string
}

func newWeChat(programs Programs, dir, addr string, life time.Duration, accounts []Account, book *record.Book) *WeChat {
	var pairs []string
	for _, a := range accounts {
		pairs = append(pairs, a.AppID+":"+a.Secret)
	}
	return &WeChat{
		Process: &Process{Name: "wechat", path: programs.Wxtoken, dir: dir, args: []string{"simulator"},
			env: []string{"WX_SIM_ADDR=" + addr, "WX_SIM_ACCOUNTS=" + strings.Join(pairs, ","), "WX_LOG_FORMAT=json"}},
		addr: addr, life: life, accounts: accounts, book: book,
	}
}

// Begin starts it. Its windows are those of tokens that live 2 h, so that a token which was replaced lives on to its end;
// tokens live shorter.
func (w *WeChat) Begin(ctx context.Context) error {
	if err := w.Start(); err != nil {
		return err
	}
	return w.Fault(ctx, fmt.Sprintf(`{"group":"mint","kind":"short_expires","expires_in":"%v"}`, w.life))
}

// Fault adds a fault, as the simulator's help describes them.
func (w *WeChat) Fault(ctx context.Context, fault string) error {
	return w.ask(ctx, http.MethodPost, "faults", fault, nil)
}

// Current is the id of WeChat's current token of an account.
func (w *WeChat) Current(ctx context.Context, a Account) (id string, err error) {
	var token struct {
		ID string `json:"id"`
	}
	err = w.ask(ctx, http.MethodGet, "token?"+url.Values{"appid": {a.AppID}, "channel": {a.Endpoint}}.Encode(), "", &token)
	return token.ID, err
}

// Revoke ends an account's current token.
func (w *WeChat) Revoke(ctx context.Context, a Account) error {
	id, err := w.Current(ctx, a)
	if err != nil || id == "" {
		return err
	}
	w.book.Revoked(id, time.Now())
	return w.ask(ctx, http.MethodPost, "revoke", fmt.Sprintf(`{"appid":%q,"channel":%q}`, a.AppID, a.Endpoint), nil)
}

// Stranger mints as somebody who has the secret.
func (w *WeChat) Stranger(ctx context.Context, a Account) error {
	return w.ask(ctx, http.MethodPost, "mint", fmt.Sprintf(`{"appid":%q,"channel":%q}`, a.AppID, a.Endpoint), nil)
}

// ask waits for a simulator that was killed: it is started again.
func (w *WeChat) ask(ctx context.Context, method, what, body string, answer any) error {
	return await(ctx, 30*time.Second, "the simulated WeChat", func(ctx context.Context) error {
		return w.askOnce(ctx, method, what, body, answer)
	})
}

func (w *WeChat) askOnce(ctx context.Context, method, what, body string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.addr+"/_sim/"+what, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %s: %s", what, resp.Status, bytes.TrimSpace(data))
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}

// ReadLog writes the mints of its log that are new into the book.
func (w *WeChat) ReadLog() error {
	return w.read.next(w.Log(), func(line []byte) {
		var entry struct {
			Msg     string    `json:"msg"`
			Time    time.Time `json:"time"`
			AppID   string    `json:"appid"`
			Channel string    `json:"channel"`
			Mode    string    `json:"mode"`
			By      string    `json:"by"`
			ID      string    `json:"token_id"`
			Expires time.Time `json:"expires_at"`
		}
		if json.Unmarshal(line, &entry) != nil {
			return
		}
		switch entry.Msg {
		case "simulated WeChat runs":
			w.read.life++
		case "minted":
			w.book.Minted(record.Mint{AppID: entry.AppID, Channel: entry.Channel, Mode: entry.Mode, By: entry.By, ID: entry.ID,
				At: entry.Time, Expires: entry.Expires, Life: w.read.life})
		}
	})
}
