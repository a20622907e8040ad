package wxsim_test

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/wxtoken/wxtoken/internal/wxsim"
)

func Example() {
	sim, err := wxsim.New(wxsim.Options{
		Accounts:  []wxsim.Account{{AppID: "wx0123456789abcdef", Secret: "secret"}},
		ExpiresIn: 6 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: sim.Transport()}
	mint := func() {
		resp, err := client.Get("https://api.weixin.qq.com/cgi-bin/token?grant_type=client_credential&appid=wx0123456789abcdef&secret=secret")
		if err != nil {
			fmt.Println("no answer")
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		fmt.Println(resp.StatusCode, len(body))
	}

	mint()
	sim.AddFault(wxsim.Fault{Kind: wxsim.Drop, After: true, Count: 1}) // the mint happens, its answer is lost
	mint()
	fmt.Println(len(sim.Ledger("wx0123456789abcdef")), "mints")
	// Output:
	// 200 170
	// no answer
	// 2 mints
}
