package jobs

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ptorbus/zester/core/bus"
)

// filled is a value of a struct with no field zero, so that one that is not encoded shows.
func filled[T any](t *testing.T, text string, n int64) T {
	t.Helper()
	var v T
	s := reflect.ValueOf(&v).Elem()
	for i := range s.NumField() {
		switch f := s.Field(i); x := f.Addr().Interface().(type) {
		case *time.Time:
			*x = time.Unix(n, 7)
		case *[]byte:
			*x = []byte(text)
		case *any:
			*x = map[string]any{text: []any{n, true, nil, 1.5}}
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(text)
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Uint8:
				f.SetUint(uint64(n) % 256)
			case reflect.Int, reflect.Int64:
				f.SetInt(n)
			default:
				t.Fatalf("no value for %s", s.Type().Field(i).Name)
			}
		}
	}
	return v
}

func checkReturn(t *testing.T, r Return) {
	t.Helper()
	data, err := appendReturn(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := bus.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	subject := bus.Return("20260101000000000000-00000000", "web-01")
	got, err := DecodeReturn(subject, data)
	if err != nil {
		t.Fatalf("%x: %v", data, err)
	}
	want, err := DecodeReturn(subject, plain)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Started.Equal(want.Started) {
		t.Errorf("started %s, want %s", got.Started, want.Started)
	}
	got.Started, want.Started = time.Time{}, time.Time{}
	if len(got.Digest) == 0 && len(want.Digest) == 0 {
		got.Digest, want.Digest = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// What is encoded by hand says the same as what the codec makes of it.
func TestEncodeReturn(t *testing.T) {
	checkReturn(t, Return{})
	checkReturn(t, Return{Function: "test.ping", Success: true, Value: true, Started: time.Now(), Duration: time.Millisecond})
	for _, n := range []int64{1, 127, 128, 255, 1 << 20, 1 << 40} {
		for _, size := range []int{1, 31, 32, 255, 256, 70_000} {
			checkReturn(t, filled[Return](t, strings.Repeat("ä"[:1+size%2], size)+"x", n))
		}
	}
	if _, err := appendReturn(nil, &Return{Value: make(chan int)}); err == nil {
		t.Error("a channel can be returned")
	}
}

func checkRecord(t *testing.T, r journalRecord) {
	t.Helper()
	var got journalRecord
	if err := bus.Unmarshal(appendRecord(nil, &r), &got); err != nil {
		t.Fatal(err)
	}
	if len(r.Return) == 0 {
		r.Return, got.Return = nil, nil
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v\nwant %+v", got, r)
	}
}

func TestEncodeRecord(t *testing.T) {
	checkRecord(t, journalRecord{})
	checkRecord(t, filled[journalRecord](t, strings.Repeat("x", 300), 1<<40))
}

func FuzzEncode(f *testing.F) {
	f.Add("20260101000000000000-00000000", "test.ping", int64(1), int64(2), []byte("return"), true)
	f.Add("", strings.Repeat("x", 40), int64(-1), int64(1<<62), []byte{}, false)
	f.Fuzz(func(t *testing.T, jid, text string, a, b int64, data []byte, yes bool) {
		checkRecord(t, journalRecord{Kind: recordKind(a), JID: jid, Function: text, Expires: a, At: b, Return: bytes.Clone(data)})
		checkReturn(t, Return{Function: text, Success: yes, Retcode: int(a), Value: text, Error: jid, Digest: data, Cut: !yes,
			Reason: Reason(jid), Started: time.Unix(a>>32, b&0xffff), Duration: time.Duration(b)})
	})
}
