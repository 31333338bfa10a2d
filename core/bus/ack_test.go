package bus

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
)

// Whatever the quick way reads, encoding/json reads the same from it.
func FuzzPlainPubAck(f *testing.F) {
	for _, s := range []string{
		`{"stream":"returns", "seq":12}`, `{"stream":"returns", "seq":0}`, `{"stream":"returns","seq":12}`,
		`{"stream":"returns", "seq":}`, `{"stream":"returns", "seq":-1}`, `{"stream":"returns", "seq":99999999999999999999}`,
		`{"stream":"returns", "domain":"hub", "seq":12}`, `{"stream":"returns", "seq":12,"duplicate": true}`,
		`{"error":{"code":503,"err_code":10077,"description":"maximum messages per subject exceeded"},"stream":"returns","seq":0}`,
		`{"stream":"a\"b", "seq":12}`, `{"stream":"", "seq":12}`, ``, `{"stream":"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		seq, ok := plainPubAck(data)
		if !ok {
			return
		}
		var ack struct {
			Seq uint64 `json:"seq"`
		}
		if err := json.Unmarshal(data, &ack); err == nil && ack.Seq != seq {
			t.Errorf("%q: %d, and by encoding/json %d", data, seq, ack.Seq)
		}
	})
}

func TestPlainPubAck(t *testing.T) {
	for text, want := range map[string]uint64{
		`{"stream":"returns", "seq":12}`:                       12,
		`{"stream":"KV_jobs", "seq":9000000000000000000}`:      9000000000000000000,
		`{"stream":"returns", "domain":"hub", "seq":12}`:       0,
		`{"stream":"returns", "seq":12,"duplicate": true}`:     0,
		`{"error":{"code":503},"stream":"returns", "seq":12}`:  0,
		`{"stream":"returns", "seq":12345678901234567890}`:     0,
		`{"stream":"returns", "seq":12} `:                      0,
		`{"stream":"x", "seq":5, "error":{}, "a":"", "seq":7}`: 0,
	} {
		if seq, ok := plainPubAck([]byte(text)); seq != want || ok != (want > 0) {
			t.Errorf("%s: %d, %t", text, seq, ok)
		}
	}
}

// A server may send what it likes under any subscription: answers to no message of ours are passed over.
func TestForeignAnswers(t *testing.T) {
	s := stores{inbox: "_INBOX.own.", pending: map[uint64]pendingStore{}}
	called := 0
	s.pending[1] = pendingStore{subject: "s", done: func(err error) { called++ }}
	for _, subject := range []string{"", "x", "_INBOX.own.", "_INBOX.own.?", "_INBOX.own.2", "_INBOX.other.1"} {
		s.answer(&nats.Msg{Subject: subject})
	}
	if called != 0 {
		t.Errorf("called %d times", called)
	}
	for range 2 {
		s.answer(&nats.Msg{Subject: "_INBOX.own.1", Data: []byte(`{"stream":"S", "seq":1}`)})
	}
	if called != 1 {
		t.Errorf("called %d times for an answer that came twice", called)
	}
}
