package tokenquery

import "testing"

func TestQueries(t *testing.T) {
	cases := []struct {
		query, found string
		other        bool
		with         string // with the token new
		without      string
	}{
		{"", "", false, "access_token=new", ""},
		{"b=2&a=1", "", false, "b=2&a=1&access_token=new", "b=2&a=1"},
		{"access_token=old", "old", false, "access_token=new", ""},
		{"b=%7e&access_token=old&a=+&&c", "old", false, "b=%7e&access_token=new&a=+&&c", "b=%7e&a=+&&c"},
		{"access_token=&a=1", "", false, "access_token=new&a=1", "a=1"},
		{"access_token&a=1", "", false, "access_token=new&a=1", "a=1"},
		{"access_token=a&access_token=b", "a", false, "access_token=new&access_token=new", ""},
		{"access_token=&access_token=b", "b", false, "access_token=new&access_token=new", ""},
		{"access%5Ftoken=a%2Bb", "a+b", false, "access_token=new", ""},
		{"access_token=%zz", "%zz", false, "access_token=new", ""},
		{"%zz=1&a=%", "", false, "%zz=1&a=%&access_token=new", "%zz=1&a=%"},
		{"a=1;access_token=x", "", false, "a=1;access_token=x&access_token=new", "a=1;access_token=x"},
		{"my_access_token_=1&xaccess_token=1", "", false, "my_access_token_=1&xaccess_token=1&access_token=new", "my_access_token_=1&xaccess_token=1"},
		{"component_access_token=c", "", true, "component_access_token=c&access_token=new", "component_access_token=c"},
		{"a=1&suite_access_token=c&access_token=old", "old", true, "a=1&suite_access_token=c&access_token=new", "a=1&suite_access_token=c"},
		{"a=access_token=1", "", false, "a=access_token=1&access_token=new", "a=access_token=1"},
	}
	for _, c := range cases {
		if found, other := Find(c.query); found != c.found || other != c.other {
			t.Errorf("%q has %q, %v", c.query, found, other)
		}
		if with := Set(c.query, "new"); with != c.with {
			t.Errorf("%q becomes %q, want %q", c.query, with, c.with)
		}
		if without := Remove(c.query); without != c.without {
			t.Errorf("%q becomes %q, want %q", c.query, without, c.without)
		}
	}
	if got := Set("", "a b&c"); got != "access_token=a+b%26c" {
		t.Errorf("a token that needs escaping becomes %q", got)
	}
}
