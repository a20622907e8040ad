package statuspage

import (
	"strconv"
	"strings"
)

const (
	langEN = "en"
	langZH = "zh"
)

// wished is the language that an Accept-Language header likes best of those that there are.
func wished(header string) string {
	best, bestQ := langEN, 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, params, _ := strings.Cut(part, ";")
		lang, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if q := quality(params); (lang == langEN || lang == langZH) && q > bestQ {
			best, bestQ = lang, q
		}
	}
	return best
}

// quality is 1 where nothing else is said.
func quality(params string) float64 {
	text, isQuality := strings.CutPrefix(strings.TrimSpace(params), "q=")
	if !isQuality {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0
	}
	return q
}

func textsIn(lang string) *texts {
	if lang == langZH {
		return &chinese
	}
	return &english
}
