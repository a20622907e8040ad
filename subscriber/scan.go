package subscriber

// verdict is what the beginning of a reply tells.
type verdict int

const (
	undecided verdict = iota
	refusal           // WeChat refused the token
	other             // anything else
)

// scan looks for the errcode in the beginning of a reply, byte by byte as it comes. WeChat's errors are flat JSON objects
// that nearly always begin with it. Whatever has an object or an array within is none, so nobody waits for more of it.
type scan struct {
	step    func(*scan, byte) verdict // nil at the start
	mark    int                       // how many bytes of the byte order mark were seen
	name    int                       // how many bytes of "errcode" the name has so far; -1: it is another
	escaped bool                      // the next byte of a string has no meaning of its own
	code    int                       // the errcode
}

const (
	byteOrderMark = "\xEF\xBB\xBF"
	errcodeName   = "errcode"
)

// feed scans the next bytes, up to where the verdict is clear.
func (s *scan) feed(data []byte) verdict {
	if s.step == nil {
		s.step = (*scan).start
	}
	for _, b := range data {
		if v := s.step(s, b); v != undecided {
			return v
		}
	}
	return undecided
}

func blank(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

func (s *scan) start(b byte) verdict {
	switch {
	case s.mark < len(byteOrderMark) && b == byteOrderMark[s.mark]:
		s.mark++
	case blank(b):
	case b == '{':
		s.step = (*scan).beforeName
	default:
		return other
	}
	return undecided
}

func (s *scan) beforeName(b byte) verdict {
	switch {
	case blank(b):
	case b == '"':
		s.name, s.step = 0, (*scan).inName
	default:
		return other
	}
	return undecided
}

func (s *scan) inName(b byte) verdict {
	switch {
	case s.escaped:
		s.escaped = false
	case b == '\\':
		s.escaped, s.name = true, -1
	case b == '"':
		s.step = (*scan).afterName
	case s.name >= 0 && s.name < len(errcodeName) && b == errcodeName[s.name]:
		s.name++
	default:
		s.name = -1
	}
	return undecided
}

func (s *scan) isErrcode() bool { return s.name == len(errcodeName) }

func (s *scan) afterName(b byte) verdict {
	switch {
	case blank(b):
	case b == ':':
		s.step = (*scan).beforeValue
	default:
		return other
	}
	return undecided
}

func (s *scan) beforeValue(b byte) verdict {
	switch {
	case blank(b):
	case b == '{' || b == '[':
		return other
	case s.isErrcode():
		s.step = (*scan).inErrcode
		return s.inErrcode(b)
	case b == '"':
		s.step = (*scan).inString
	default:
		s.step = (*scan).afterValue
		return s.afterValue(b)
	}
	return undecided
}

func (s *scan) inErrcode(b byte) verdict {
	switch {
	case blank(b) || b == ',' || b == '}':
		return s.judge()
	case b >= '0' && b <= '9' && s.code < 1e6:
		s.code = s.code*10 + int(b-'0')
	default:
		return other
	}
	return undecided
}

func (s *scan) judge() verdict {
	switch s.code {
	case 40001, 40014, 42001:
		return refusal
	}
	return other
}

func (s *scan) inString(b byte) verdict {
	switch {
	case s.escaped:
		s.escaped = false
	case b == '\\':
		s.escaped = true
	case b == '"':
		s.step = (*scan).afterValue
	}
	return undecided
}

// afterValue also reads over numbers and words: what is no JSON ends here, or is as good as an other.
func (s *scan) afterValue(b byte) verdict {
	switch b {
	case ',':
		s.step = (*scan).beforeName
	case '}', '{', '[', ']', '"':
		return other
	}
	return undecided
}
