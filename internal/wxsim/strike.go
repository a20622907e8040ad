package wxsim

import (
	"net/http"
	"slices"
)

// fault finds a fault of that kind which strikes the call.
func (c *call) fault(kind Kind) *Fault {
	return c.take(func(f Fault) bool { return f.Kind == kind })
}

func (c *call) replacing(after bool) *Fault {
	return c.take(func(f Fault) bool { return f.After == after && slices.Contains(replacing, f.Kind) })
}

func (c *call) take(which func(Fault) bool) *Fault {
	f := c.s.faults.take(c.owner().appid, c.r.URL.Path, c.endpoint.group, which)
	if f != nil {
		c.fired = append(c.fired, f.Kind)
	}
	return f
}

// replace gives the answer that a fault puts in the place of the real one.
func (c *call) replace(f *Fault) reply {
	switch f.Kind {
	case Busy:
		return c.refuse(CodeBusy)
	case ErrCode:
		return c.refuseAs(f.Code, orDefault(f.ErrMsg, c.textOf(f.Code)))
	case BadGateway:
		return reply{status: http.StatusBadGateway, contentType: typeHTML, body: []byte(badGatewayPage)}
	case Portal:
		return reply{contentType: typeHTML, body: []byte(portalPage)}
	case Garbage:
		return reply{contentType: typeJSON, body: []byte(`{"access_token":"84_garbage","expires_in":72`)}
	case Empty:
		return reply{contentType: typeJSON}
	case Hang:
		return reply{hang: true}
	default:
		return reply{drop: true}
	}
}

const (
	badGatewayPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	portalPage     = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>Please sign in to use this network.</p></body></html>\n"
)
