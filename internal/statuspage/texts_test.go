package statuspage

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
)

func TestEveryTextIsThereInBothLanguages(t *testing.T) {
	for _, texts := range []texts{english, chinese} {
		v := reflect.ValueOf(texts)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s has no %s", texts.Lang, v.Type().Field(i).Name)
			}
		}
		for _, r := range []wire.Reason{wire.ReasonStartup, wire.ReasonScheduled, wire.ReasonReported, wire.ReasonManual, wire.ReasonMissing} {
			if texts.reasons[r] == "" {
				t.Errorf("%s has no reason %s", texts.Lang, r)
			}
		}
	}
}

// What a human must do is said in Chinese for each code that a mint is known to be refused with.
func TestEveryCodeHasItsChineseSentence(t *testing.T) {
	for _, code := range []int{
		-1, 40001, 40002, 40013, 40066, 40125, 40164, 40243, 41001, 41002, 41004, 43002, 43003, 45009, 45035, 47001, 48001, 48004,
		50002, 50004, 50007, 61004, 89501, 89503, 89506, 89507,
	} {
		todo := chineseTodo(&wechat.Error{Code: code, Class: wechat.Permanent})
		if chineseCodes[code] == "" || !strings.HasSuffix(todo, "。") || strings.Contains(todo, "{") {
			t.Errorf("%d: %s", code, todo)
		}
	}
	for class := wechat.Transient; class <= wechat.Stale; class++ {
		if todo := chineseTodo(&wechat.Error{Class: class}); !strings.HasSuffix(todo, "。") {
			t.Errorf("%v: %s", class, todo)
		}
	}
}

func TestTimesAsPeopleReadThem(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                              {"just now", "刚刚"},
		-9 * time.Second:               {"just now", "刚刚"},
		-59 * time.Second:              {"50 s ago", "50 秒前"},
		-119 * time.Second:             {"110 s ago", "110 秒前"},
		-2 * time.Minute:               {"2 min ago", "2 分钟前"},
		-time.Hour:                     {"1 h ago", "1 小时前"},
		-25*time.Hour - 5*time.Minute:  {"1 d 1 h ago", "1 天 1 小时前"},
		time.Second:                    {"in 1 s", "1 秒后"},
		119 * time.Second:              {"in 119 s", "119 秒后"},
		2*time.Hour - time.Millisecond: {"in 1 h 59 min", "1 小时 59 分钟后"},
	} {
		if got := english.moment(now.Add(d), now).Text; got != want[0] {
			t.Errorf("%v: %s, want %s", d, got, want[0])
		}
		if got := chinese.moment(now.Add(d), now).Text; got != want[1] {
			t.Errorf("%v: %s, want %s", d, got, want[1])
		}
	}
	if m := english.moment(time.Time{}, now); m.Text != "not known" || m.ISO != "" {
		t.Errorf("no time: %+v", m)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	for _, c := range []struct {
		left, life time.Duration
		want       int
	}{{time.Second, 2 * time.Hour, 1}, {time.Hour, 2 * time.Hour, 50}, {3 * time.Hour, 2 * time.Hour, 100}, {time.Hour, 0, 100}} {
		if got := percent(c.left, c.life); got != c.want {
			t.Errorf("%v of %v: %d", c.left, c.life, got)
		}
	}
}
