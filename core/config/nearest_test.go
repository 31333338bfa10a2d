package config

import (
	"testing"
	"unicode/utf8"
)

func TestNearest(t *testing.T) {
	known := []string{"basket", "nats_url", "id", "enroll-addr", "log_level", "log_format"}
	for _, c := range []struct{ name, want string }{
		{"bakset", "basket"},
		{"baskets", "basket"},
		{"nats-url", "nats_url"},
		{"NATS_URL", "nats_url"},
		{"natsurl", "nats_url"},
		{"enrol-adr", "enroll-addr"},
		{"log_levle", "log_level"},
		{"di", "id"},
		{"", ""},
		{"xy", ""},
		{"completely_else", ""},
	} {
		if got := Nearest(c.name, known); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
	if got := Nearest("wb-01", []string{"db-01", "web-01", "web-02"}); got != "web-01" {
		t.Errorf("of two as near %q is taken", got)
	}
	if got := Nearest("a", nil); got != "" {
		t.Errorf("Nearest with nothing known = %q", got)
	}
}

func FuzzDistance(f *testing.F) {
	f.Add("bakset", "basket")
	f.Add("", "id")
	f.Add("zitrone", "zitröne")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 64 || len(b) > 64 {
			return
		}
		d := distance(a, b)
		if back := distance(b, a); back != d {
			t.Errorf("distance(%q, %q) = %d, but %d the other way", a, b, d, back)
		}
		longest := max(utf8.RuneCountInString(a), utf8.RuneCountInString(b))
		if d < 0 || d > longest {
			t.Errorf("distance(%q, %q) = %d, outside 0..%d", a, b, d, longest)
		}
		if utf8.ValidString(a) && utf8.ValidString(b) && (d == 0) != (a == b) {
			t.Errorf("distance(%q, %q) = %d", a, b, d)
		}
	})
}
