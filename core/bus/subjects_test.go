package bus_test

import (
	"strings"
	"testing"

	"github.com/ptorbus/zester/core/bus"
)

func TestTokens(t *testing.T) {
	for _, id := range []string{"web-01", "web-01.example.org", "a..b", ".", "A_b-9"} {
		if err := bus.CheckPeelID(id); err != nil {
			t.Error(err)
		}
		token := bus.Token(id)
		if strings.ContainsAny(token, ".*> ") || bus.FromToken(token) != id {
			t.Errorf("%q became %q", id, token)
		}
	}
}

func TestCheckPeelIDErrors(t *testing.T) {
	for id, want := range map[string]string{
		"":                       `peel id "" has 0 characters: use 1 to 128 of letters, digits, '.', '_' and '-'`,
		"a b":                    `peel id "a b": character 2, ' ', is not allowed: use letters, digits, '.', '_' and '-'`,
		"web=01":                 `peel id "web=01": character 4, '=', is not allowed: use letters, digits, '.', '_' and '-'`,
		"*":                      `peel id "*": character 1, '*', is not allowed: use letters, digits, '.', '_' and '-'`,
		strings.Repeat("x", 129): `peel id "` + strings.Repeat("x", 40) + `" has 129 characters: use 1 to 128 of letters, digits, '.', '_' and '-'`,
	} {
		if err := bus.CheckPeelID(id); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestSubjectsAreTakenApart(t *testing.T) {
	for subject, want := range map[string][3]string{
		bus.Ack("j1", "a.b"):      {"j1", "ack", "a.b"},
		bus.Output("j1", "a.b"):   {"j1", "out", "a.b"},
		bus.Return("j1", "web-1"): {"j1", "return", "web-1"},
		bus.JobNotes("j1"):        {},
		bus.Command("a"):          {},
		"zester.job.j.return":     {},
		"other.job.j.return.p":    {},
	} {
		jid, kind, peel, ok := bus.ParseJobSubject(subject)
		if got := [3]string{jid, kind, peel}; got != want || ok != (want != [3]string{}) {
			t.Errorf("%s: %v, %v", subject, got, ok)
		}
	}
	if got := bus.Asker(bus.Ask("a.b", "q")); got != "a.b" {
		t.Errorf("asker %q", got)
	}
	if got := bus.Asker(bus.Order("al.ice", "enroll.list")); got != "al.ice" {
		t.Errorf("asker %q", got)
	}
	if got := bus.Asker("zester.ask.x"); got != "" {
		t.Errorf("asker %q", got)
	}
	if got := bus.Submitter(bus.Submit("al.ice")); got != "al.ice" {
		t.Errorf("submitter %q", got)
	}
}
