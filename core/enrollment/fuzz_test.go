package enrollment

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
)

// What passes is safe to store and to show, reads back as it is, and fits the bucket.
func FuzzEnrollRequest(f *testing.F) {
	good, err := json.Marshal(enrollRequest{ID: "web-01", Public: "UCKIK47DAXYRCTLTS72TNY65LKEDL5YMBPFGUOFWA4CZDPS3HRSHNUC4", Curve: "XDTHUEBUI7Z6INGBEP4AQ5LR6CPLB3W54WSDTQ6ZQWLIXEHBZXQV7BO5", Nonce: "n", Signature: []byte("s"), Facts: map[string]string{"os": "debian", "ort": "Köln"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("web-01"), []byte("web.01"), 1))
	f.Add(bytes.Replace(good, []byte("debian"), []byte(`\u001b[2J`), 1))
	f.Add(bytes.Replace(good, []byte("debian"), []byte(`\ud800`), 1))
	f.Add(bytes.Replace(good, []byte(`"id"`), []byte(`"ID"`), 1))
	f.Add([]byte(`{"facts":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var q enrollRequest
		if len(body) > maxBody || decode(bytes.NewReader(body), &q) != nil || q.check() != nil {
			return
		}
		if bus.CheckPeelID(q.ID) != nil || !nkeys.IsValidPublicUserKey(q.Public) || !nkeys.IsValidPublicCurveKey(q.Curve) {
			t.Fatalf("passes: %+v", q)
		}
		for name, value := range q.Facts {
			if strings.ContainsFunc(name+value, func(c rune) bool {
				return c < ' ' || c == 0x7f || c == 0xfffd && !strings.Contains(string(body), "\uFFFD") && !strings.Contains(string(body), `\u`)
			}) {
				t.Fatalf("fact %q: %q cannot be shown", name, value)
			}
		}
		again, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		var p enrollRequest
		if err := decode(bytes.NewReader(again), &p); err != nil || !bytes.Equal(p.statement(), q.statement()) {
			t.Fatalf("%+v becomes %+v, %v", q, p, err)
		}
		r := Record{ID: q.ID, Public: q.Public, Curve: q.Curve, Address: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Facts: q.Facts, State: Pending}
		data, err := bus.Marshal(r)
		if err != nil || len(data) > 3<<10 {
			t.Fatalf("the record has %d bytes, %v", len(data), err)
		}
		back, err := decodeRecord(bus.Entry{Bucket: bus.BucketEnrollments, Key: bus.Token(q.ID), Value: data})
		if err != nil || back.ID != r.ID || len(r.Facts) > 0 && !reflect.DeepEqual(back.Facts, r.Facts) {
			t.Fatalf("the record becomes %+v, %v", back, err)
		}
	})
}

// Whatever lies in the bucket, reading it neither panics nor gives a record under another's id.
func FuzzRecord(f *testing.F) {
	data, err := bus.Marshal(Record{ID: "web.01", State: Active, Facts: map[string]string{"os": "debian"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("web=01", data)
	f.Add("web=02", data)
	f.Add("web=01", data[:len(data)/2])
	f.Add("x", []byte{0xc0})
	f.Fuzz(func(t *testing.T, key string, data []byte) {
		if r, err := decodeRecord(bus.Entry{Key: key, Value: data}); err == nil && bus.Token(r.ID) != key {
			t.Fatalf("entry %q gives the record of %q", key, r.ID)
		}
	})
}

// Two statements are equal only if all their parts are, and none is text that NATS could have a peel sign.
func FuzzStatement(f *testing.F) {
	f.Add("enroll", "a", "bc")
	f.Add("enroll", "ab", "c")
	f.Add("", "", "\x00\x00\x00\x01a")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		s := statement(a, b, c)
		var nonce string
		text, err := json.Marshal(string(s))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &nonce); err != nil || nonce == string(s) {
			t.Fatalf("%q comes through JSON unharmed", s)
		}
		rest, ok := bytes.CutPrefix(s, []byte("\xffzester enrollment v1\x00"))
		var parts []string
		for ok && len(rest) >= 4 {
			n := binary.BigEndian.Uint32(rest)
			parts, rest = append(parts, string(rest[4:4+n])), rest[4+n:]
		}
		if !slices.Equal(parts, []string{a, b, c}) {
			t.Fatalf("%q gives %q", []string{a, b, c}, parts)
		}
	})
}
