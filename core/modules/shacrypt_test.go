package modules

import (
	"strings"
	"testing"
)

// TestShaCrypt: the examples of the specification, and others that crypt(3) has made.
func TestShaCrypt(t *testing.T) {
	for _, c := range []struct {
		crypt                   shaCrypt
		password, setting, want string
	}{
		{sha512Crypt, "Hello world!", "saltstring", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{sha512Crypt, "Hello world!", "rounds=10000$saltstringsaltstring", "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
		{sha512Crypt, "This is just a test", "rounds=5000$toolongsaltstring", "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"},
		{sha512Crypt, "a very much longer text to encrypt.  This one even stretches over morethan one line.", "rounds=1400$anotherlongsaltstring", "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"},
		{sha512Crypt, "the minimum number is still observed", "rounds=10$roundstoolow", "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX."},
		{sha512Crypt, "", "salt", "$6$salt$r6qPcj2UeIkfklWHvleGJk8OKTInFYR/fxyuwcC656IWiZBpIFZ9.hMRG2ZQnnyMFrKOe461f9iT9Ljn0wJ5l."},
		{sha512Crypt, "éééééééééééééééééééééééééééééééééééééééé", "x", "$6$x$IwlBljoeW4PE2.S9T7azL.fcmKmQCDo7jbiVZIMuLrvMwVlztdQFp/obgdp2qwU9tBEgsLl/v9/.75gV1dpRG1"},
		{sha256Crypt, "Hello world!", "saltstring", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"},
		{sha256Crypt, "Hello world!", "rounds=10000$saltstringsaltstring", "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"},
		{sha256Crypt, "", "s", "$5$s$u9jS/E6rlpZoj8KCMVhpLKJh2MrO5hc9UBdfKCcvVU7"},
		{sha256Crypt, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "abc", "$5$abc$ZMJsftd/pMx5OXndPW/I0ozwAM1ILSjdgDJAE3rYX22"},
	} {
		if got := c.crypt.hash(c.password, c.setting); got != c.want {
			t.Errorf("%q with %q: %s, want %s", c.password, c.setting, got, c.want)
		}
	}
}

// TestPasswordHash: a hash that is of the password stays, of any other kind or password it is replaced.
func TestPasswordHash(t *testing.T) {
	kept := sha256Crypt.hash("secret", "rounds=1000$salt")
	if got := passwordHash("secret", kept); got != kept {
		t.Errorf("%s became %s", kept, got)
	}
	seen := map[string]bool{}
	for _, old := range []string{kept, "", "!", "$6$", "$6$salt", "$5$rounds=x$y", "$y$j9T$salt$hash", "$1$salt$hash"} {
		got := passwordHash("other", old)
		if !strings.HasPrefix(got, "$6$") || strings.Count(got, "$") != 3 || len(got) != len("$6$$")+16+86 || seen[got] {
			t.Errorf("%q became %q", old, got)
		}
		if again := passwordHash("other", got); again != got {
			t.Errorf("%s became %s", got, again)
		}
		seen[got] = true
	}
}
