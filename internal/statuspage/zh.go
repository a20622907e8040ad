package statuspage

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/wxtoken/wxtoken/internal/wechat"
	"github.com/wxtoken/wxtoken/internal/wire"
	"github.com/wxtoken/wxtoken/publisher"
)

var chinese = texts{
	Lang: "zh-CN",

	Title: "wxtoken", Skip: "跳到账号列表", Language: "语言", Colon: "：",
	Live: "实时更新", Lost: "暂无更新，正在重试", NoScript: "刷新页面以查看最新状态。",
	Facts: "概览", Accounts: "账号", Good: "有有效 token", Failing: "续期失败",
	Troubled: "无有效 token", Soonest: "最早到期", Pages: "账号分页",
	Search: "搜索", SearchHint: "AppID 或 token ID", Find: "查找", Clear: "清除",
	Previous: "上一页", Next: "下一页", Nothing: "没有匹配的账号。", NoneHeld: "此 publisher 没有账号。",

	Token: "token ID", Generation: "代次", Minted: "获取", By: "由",
	Ends: "到期", More: "最近获取与额度", History: "最近获取", NoHistory: "暂无记录。",
	Budgets: "额度", Forced: "今日剩余强制刷新", Asked: "剩余按请求获取", AskedWhy: "每 5 分钟恢复一次。",
	WhatToDo: "如何处理", NextTry: "下次重试",

	Publishers: "publisher（发布者）", Self: "本实例", NoPeers: "没有 publisher 应答。", Version: "版本", Since: "启动于",
	NATS: "NATS", Server: "服务器", Address: "地址", Cluster: "集群", RoundTrip: "往返时延", Others: "其他已知服务器",
	Embedded: "内嵌于本进程", NoServer: "未连接。", Leader: "主副本", Replicas: "副本已同步", Behind: "落后或离线",
	Unknown: "未知",

	disconnected:     "未连接到 NATS",
	disconnectedNote: "各服务继续使用已有的 token；此处显示的是最后已知的状态。",
	storeAway:        "存储桶无法读写",

	requests: func(n int) string { return thousands(n) + " 次请求" },
	number:   thousands,
	headline: chineseHeadline,
	showing: func(first, last, of int) string {
		return fmt.Sprintf("第 %d–%d 个，共 %s 个", first, last, thousands(of))
	},
	page:    func(n, of int) string { return fmt.Sprintf("第 %d 页，共 %d 页", n, of) },
	left:    func(percent int, left string) string { return fmt.Sprintf("剩余 %d%%：%s", percent, left) },
	ended:   func(ago string) string { return ago + "已到期" },
	toGo:    func(d string) string { return "剩余 " + d },
	ago:     func(d string) string { return d + "前" },
	in:      func(d string) string { return d + "后" },
	justNow: "刚刚",
	units:   units{" 天", " 小时", " 分钟", " 秒"},
	zone:    time.FixedZone("Asia/Shanghai", 8*60*60), zoneName: "北京时间",

	reasons: map[wire.Reason]string{
		wire.ReasonStartup: "首次获取", wire.ReasonScheduled: "定时续期", wire.ReasonReported: "被报失效",
		wire.ReasonManual: "手动请求", wire.ReasonMissing: "键值丢失",
	},
	problem: chineseProblem,
	says: func(code int, msg string) string {
		return strings.TrimSpace(fmt.Sprintf("微信返回 %d %s", code, msg))
	},
	todo:    chineseTodo,
	retries: "会自动重试。",
	failed:  chineseFailed,
}

func chineseHeadline(c counts) string {
	switch {
	case c.bad > 0:
		return fmt.Sprintf("%s 个账号中有 %s 个没有有效 token", thousands(c.all()), thousands(c.bad))
	case c.warn > 0:
		return fmt.Sprintf("token 均有效，但 %s 个账号中有 %s 个续期失败", thousands(c.all()), thousands(c.warn))
	}
	return fmt.Sprintf("全部 %s 个账号都有有效 token", thousands(c.ok))
}

func chineseFailed(n int) string {
	if n == 1 {
		return "最近一次获取失败。"
	}
	return fmt.Sprintf("最近连续 %s 次获取失败。", thousands(n))
}

func chineseProblem(a publisher.AccountStatus) string {
	switch {
	case a.TokenID == "":
		return "尚无 token"
	case a.Unstored:
		return "尚未写入"
	case !a.Live:
		return "已到期"
	case a.LastErr != nil:
		return "续期失败"
	}
	return "有效"
}

// chineseTodo says in Chinese what wechat.Error.Hint says in English.
func chineseTodo(e *wechat.Error) string {
	text := cmp.Or(chineseCodes[e.Code], chineseClasses[e.Class])
	return strings.ReplaceAll(text, "{ip}", cmp.Or(e.ClientIP(), "本机的公网 IP"))
}

var chineseClasses = map[wechat.Class]string{
	wechat.Transient:   "会自动重试；若持续出现，请检查本机到微信之间的 DNS、防火墙和代理。",
	wechat.MinuteQuota: "会在下一分钟自动重试。",
	wechat.DayQuota:    "今天的调用额度已用完。",
	wechat.Permanent:   "请在微信“全局返回码”中查找该返回码；会以较慢的频率自动重试。",
	wechat.Stale:       "token 已到期或已被替换。",
}

const (
	zhSecret = "请核对并配置公众平台（mp.weixin.qq.com → 开发）AppSecret 页面上当前有效的 AppSecret；重置后旧的立即失效。"
	zhIP     = "请把 {ip} 加入 IP 白名单（mp.weixin.qq.com → 开发 → IP白名单），修改最多 10 分钟后生效。"
	zhLost   = "微信没有收到完整的请求：请检查本机与微信之间是否有代理改动了请求。"
	zhFrozen = "账号被冻结或受限：请管理员登录 mp.weixin.qq.com，在通知中查看原因。"
	zhAdmin  = "请账号管理员在收到的微信消息中确认 {ip}。"
)

var chineseCodes = map[int]string{
	-1:    "微信系统繁忙，会自动重试。",
	40001: zhSecret,
	40002: zhLost,
	40013: "请核对 AppID，并确认 AppSecret 属于该账号。",
	40066: "请检查 API 地址（WX_API_BASE）：微信不认识这个路径。",
	40125: zhSecret,
	40164: zhIP,
	40243: "请在公众平台（mp.weixin.qq.com → 开发）的 AppSecret 页面解冻 AppSecret，10 分钟后生效。",
	41001: zhLost,
	41002: zhLost,
	41004: zhLost,
	43002: zhLost,
	43003: "请使用以 https:// 开头的 API 地址（WX_API_BASE）。",
	45009: "今天的调用额度已用完：请查找还有哪个程序在用这个 AppSecret 获取 token，或在 mp.weixin.qq.com 重置额度。",
	45035: zhIP,
	47001: zhLost,
	48001: "微信不允许该类型的账号调用此接口。",
	48004: zhFrozen,
	50002: zhFrozen,
	50004: zhFrozen,
	50007: zhFrozen,
	61004: zhIP,
	89501: zhAdmin,
	89503: zhAdmin,
	89506: "管理员已两次拒绝 {ip}：24 小时后微信才会再次询问；也可以把它加入 IP 白名单。",
	89507: "管理员拒绝了 {ip}：1 小时后微信会再次询问；也可以把它加入 IP 白名单。",
}
