package keys_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/ptorbus/zester/core/bus"
	"github.com/ptorbus/zester/core/keys"
	"github.com/ptorbus/zester/core/server"
)

// raw is a connection without core/bus: what an attacker with a peel's credentials has.
type raw struct {
	*nats.Conn
	refused chan string
}

func connect(t *testing.T, s *server.TestServer, creds keys.Creds) raw {
	t.Helper()
	r := raw{refused: make(chan string, 4096)}
	var err error
	for attempt := 0; attempt == 0 || err != nil && attempt < 5; attempt++ { // a busy machine may be too slow for the server
		r.Conn, err = nats.Connect(s.URL, nats.Timeout(patience),
			nats.UserJWT(func() (string, error) { return creds.JWT, nil }, creds.Sign),
			nats.CustomInboxPrefix(bus.Inbox(creds.Name())),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { r.refused <- err.Error() }))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// patience is how long a test waits for what must come. Nothing is measured by it: a busy machine may need it all.
const patience = time.Minute

// expectRefusal waits for the server's word that it refused kind ("publish", "subscription") on subject.
func (r raw) expectRefusal(t *testing.T, kind, subject string) {
	t.Helper()
	want := strings.ToLower(kind + ` to "` + subject + `"`)
	select {
	case got := <-r.refused:
		if !strings.Contains(strings.ToLower(got), want) {
			t.Errorf("%s %s: refused with %q", kind, subject, got)
		}
	case <-time.After(patience):
		t.Errorf("%s %s: not refused", kind, subject)
	}
}

func master(t *testing.T, s *server.TestServer) (raw, jetstream.JetStream) {
	t.Helper()
	creds, err := s.Hierarchy.MasterCreds("master")
	if err != nil {
		t.Fatal(err)
	}
	nc := connect(t, s, creds)
	js, err := jetstream.New(nc.Conn, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// fleet starts a server with all buckets, something in each, and a master's durable consumer.
func fleet(t *testing.T) (*server.TestServer, *bus.Conn) {
	t.Helper()
	s := server.StartTest(t)
	core := s.Core(t)
	for _, e := range [][2]string{
		{bus.BucketBasket, "p1.ip"}, {bus.BucketBasket, "p2.ip"}, {bus.BucketFacts, "p1"}, {bus.BucketFacts, "p2"},
		{bus.BucketSettings, "p1"}, {bus.BucketSettings, "p2"}, {bus.BucketTrees, "states"}, {bus.BucketFiles, "c0ffee"},
		{bus.BucketJobs, "j1"}, {bus.BucketEnrollments, "p2"}, {bus.BucketChallenges, "n1"}, {bus.BucketLeases, "publisher"},
	} {
		if _, err := core.Put(t.Context(), e[0], e[1], []byte("of "+e[1])); err != nil {
			t.Fatal(err)
		}
	}
	return s, core
}

// TestPeelMayNotSend tries every subject that belongs to a master, an operator, the server or
// another peel.
func TestPeelMayNotSend(t *testing.T) {
	s, _ := fleet(t)
	p1 := connect(t, s, s.PeelCreds(t, "p1"))
	subjects := []string{
		// commands, its own among them, and what others say
		bus.Command("p1"), bus.Command("p2"), bus.JobNotes("j1"), bus.Output("j1", "p2"),
		bus.Ack("j1", "p2"), bus.Return("j1", "p2"), bus.Event("p2", "start"), bus.Event("master", "start"),
		bus.Ask("p2", "renew"), bus.Submit("alice"), bus.Submit("p1"), bus.Order("alice", "enroll.approve"), bus.Order("p1", "enroll.approve"),
		bus.Republished(bus.BucketSettings, "p2"), bus.Republished(bus.BucketTrees, "states"),
		bus.PresenceConnect, bus.PresenceDisconnect, bus.PresenceList,
		bus.Inbox("p2") + ".x", bus.Inbox("master") + ".x", "_INBOX.x", "_R_.x", "anything",
		// others' entries
		bus.ValueSubject(bus.BucketBasket, "p2.ip"), bus.ValueSubject(bus.BucketFacts, "p2"), bus.ValueSubject(bus.BucketFacts, "p1.more"),
		bus.PeelGet(bus.BucketSettings, "p2"), bus.PeelGet(bus.BucketFacts, "p2"), bus.PeelGet(bus.BucketJobs, "j1"),
		bus.PeelGet(bus.BucketEnrollments, "p2"), bus.PeelGet(bus.BucketFiles, "c0ffee"),
		bus.PeelBatch(bus.BucketSettings), bus.PeelBatch(bus.BucketFacts), bus.PeelBatch(bus.BucketTrees), bus.PeelBatch(bus.BucketJobs),
		// NATS' own
		"$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.USER.INFO", "$SYS.REQ.CLAIMS.UPDATE",
		"$SYS.REQ.ACCOUNT." + s.Account.Public() + ".CLAIMS.UPDATE", "$SYS.ACCOUNT." + s.Account.Public() + ".DISCONNECT",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.CREATE.X", "$JS.API.SERVER.REMOVE", "$JS.API.META.LEADER.STEPDOWN",
		"$JS.ACK.returns.c.1.1.1.1.0", "$JS.FC.KV_basket.x", "$JSC.R.x",
	}
	for _, b := range []string{bus.BucketSettings, bus.BucketTrees, bus.BucketFiles, bus.BucketJobs, bus.BucketEnrollments, bus.BucketChallenges, bus.BucketLeases} {
		subjects = append(subjects, bus.ValueSubject(b, "p1"), bus.ValueSubject(b, "p2"))
	}
	for _, stream := range []string{"KV_basket", "KV_settings", "KV_files", "returns", "submissions"} {
		for _, verb := range []string{
			"STREAM.INFO", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.GET", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT",
			"STREAM.RESTORE", "STREAM.LEADER.STEPDOWN", "STREAM.PEER.REMOVE", "CONSUMER.CREATE", "CONSUMER.NAMES", "CONSUMER.LIST", "DIRECT.GET",
		} {
			subjects = append(subjects, "$JS.API."+verb+"."+stream)
		}
		subjects = append(subjects, "$JS.API.CONSUMER.CREATE."+stream+".c.>", "$JS.API.CONSUMER.DURABLE.CREATE."+stream+".masters",
			"$JS.API.CONSUMER.DELETE."+stream+".masters", "$JS.API.CONSUMER.MSG.NEXT."+stream+".masters", "$JS.API.CONSUMER.PAUSE."+stream+".masters",
			"$JS.API.DIRECT.GET."+stream+".x", "$JS.API.DIRECT.GET."+stream+".$KV.settings.p2")
	}
	for _, subject := range subjects {
		if strings.ContainsAny(subject, "*>") {
			subject = strings.NewReplacer("*", "x", ">", "x").Replace(subject)
		}
		if err := p1.PublishRequest(subject, bus.Inbox("p1")+".reply", nil); err != nil {
			t.Fatal(err)
		}
		p1.expectRefusal(t, "publish", subject)
	}
}

// TestPeelMayNotHear tries to listen to everything that is not the peel's own.
func TestPeelMayNotHear(t *testing.T) {
	s, _ := fleet(t)
	p1 := connect(t, s, s.PeelCreds(t, "p1"))
	for _, subject := range []string{
		">", "*.>", "zester.>", bus.AllCommands, bus.Command("p2"), bus.AllRepublished, bus.Republished(bus.BucketSettings, "p2"),
		bus.Republished(bus.BucketSettings, "*"), bus.AllReturns, bus.Return("*", "p1"), bus.AllAcks, bus.AllOutputs, bus.Output("j1", "p2"), bus.JobAll("j1"), bus.JobAll("*"), bus.AllEvents, bus.AllAsks,
		bus.Ask("p1", "renew"), bus.AllSubmissions, bus.AllOrders, bus.PresenceConnect, bus.PresenceDisconnect, bus.PresenceList,
		bus.Inbox("p2") + ".>", bus.Inbox("master") + ".>", "_INBOX.>", "_R_.>", bus.Inbox("p1"), "$KV.>", bus.ValueSubject(bus.BucketBasket, "p1.>"),
		bus.PeelGet(bus.BucketBasket, ">"), bus.PeelBatch(bus.BucketFiles), "$JS.>", "$JS.EVENT.ADVISORY.>", "$SYS.>",
		"$SYS.ACCOUNT." + s.Account.Public() + ".CONNECT", "zester.cmd.p1.>", "zester.cmd.>",
	} {
		if _, err := p1.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		if err := p1.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
		p1.expectRefusal(t, "subscription", subject)
		if _, err := p1.QueueSubscribeSync(subject, "q"); err != nil {
			t.Fatal(err)
		}
		p1.expectRefusal(t, "subscription", subject)
	}
}

// state is everything in JetStream that is not p1's own: configurations, consumers, entries.
func state(t *testing.T, js jetstream.JetStream) map[string]string {
	t.Helper()
	all := map[string]string{}
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		config, err := json.Marshal(info.Config)
		if err != nil {
			t.Fatal(err)
		}
		all[info.Config.Name] = string(config)
		stream, err := js.Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		consumers := stream.ListConsumers(t.Context())
		for c := range consumers.Info() {
			config, err := json.Marshal(c.Config)
			if err != nil {
				t.Fatal(err)
			}
			all[info.Config.Name+" consumer "+c.Name] = string(config)
		}
		if consumers.Err() != nil {
			t.Fatal(consumers.Err())
		}
		counted, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		for subject := range counted.State.Subjects {
			if slices.Contains(strings.Split(subject, "."), "p1") {
				continue
			}
			m, err := stream.GetLastMsgForSubject(t.Context(), subject)
			if err != nil {
				t.Fatal(err)
			}
			all[info.Config.Name+" "+subject] = fmt.Sprintf("%d %x", m.Sequence, sha256.Sum256(m.Data))
		}
	}
	if streams.Err() != nil {
		t.Fatal(streams.Err())
	}
	return all
}

// TestRepliesDoNotLendRights sends every request a peel may make with reply subjects on which
// it must not speak, and with headers that ask the server for more than storing. Whatever
// answers must not act on the peel's behalf.
func TestRepliesDoNotLendRights(t *testing.T) {
	s, core := fleet(t)
	nc, js := master(t, s)
	if _, err := js.CreateOrUpdateConsumer(t.Context(), "submissions", jetstream.ConsumerConfig{Durable: "masters", AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
		t.Fatal(err)
	}
	if err := core.Store(t.Context(), bus.Submit("alice"), []byte("job")); err != nil {
		t.Fatal(err)
	}
	heard, err := nc.SubscribeSync(">") // what reaches CORE
	if err != nil {
		t.Fatal(err)
	}
	p2 := connect(t, s, s.PeelCreds(t, "p2"))
	commands, err := p2.SubscribeSync(bus.Command("p2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []raw{nc, p2} {
		if err := c.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
	}
	before := state(t, js)

	p1 := connect(t, s, s.PeelCreds(t, "p1"))
	requests := []struct{ subject, body string }{
		{bus.PeelGet(bus.BucketSettings, "p1"), ""},
		{bus.PeelGet(bus.BucketSettings, "p1"), "broken"}, // answered with an empty message
		{bus.PeelGet(bus.BucketTrees, "states"), ""},
		{bus.PeelGet(bus.BucketBasket, "p1.ip"), ""},
		{bus.PeelGet(bus.BucketBasket, "p2.none"), ""},
		{bus.PeelBatch(bus.BucketBasket), `{"seq":1,"batch":10}`},
		{bus.PeelBatch(bus.BucketBasket), "broken"},
		{bus.PeelBatch(bus.BucketBasket), `{"last_by_subj":"$KV.settings.p2"}`},
		{bus.PeelBatch(bus.BucketFiles), `{"multi_last":["$KV.files.>"]}`},
		{bus.ValueSubject(bus.BucketBasket, "p1.ip"), "mine"},
		{bus.ValueSubject(bus.BucketBasket, "p1.ip"), "{}"},
		{bus.ValueSubject(bus.BucketFacts, "p1"), "mine"},
		{bus.Return("j1", "p1"), "{}"},
		{bus.Return("j2", "p1"), ""},
		{bus.Ack("j1", "p1"), ""},
		{bus.Output("j1", "p1"), "{}"},
		{bus.Event("p1", "e"), ""},
		{bus.Ask("p1", "anything"), ""},
	}
	replies := []string{
		bus.Command("p2"), bus.Return("j1", "p2"), bus.Ack("j1", "p2"), bus.Output("j1", "p2"), bus.Event("p2", "e"), bus.Submit("alice"), bus.Order("alice", "x"),
		bus.ValueSubject(bus.BucketBasket, "p2.ip"), bus.ValueSubject(bus.BucketFacts, "p2"), bus.ValueSubject(bus.BucketSettings, "p2"),
		bus.ValueSubject(bus.BucketTrees, "states"), bus.ValueSubject(bus.BucketFiles, "c0ffee"), bus.ValueSubject(bus.BucketLeases, "publisher"),
		"$JS.API.STREAM.DELETE.KV_trees", "$JS.API.STREAM.PURGE.KV_basket", "$JS.API.STREAM.PURGE.returns", "$JS.API.CONSUMER.DELETE.submissions.masters",
		"$JS.API.CONSUMER.MSG.NEXT.submissions.masters", "$JS.API.META.LEADER.STEPDOWN", "$SYS.REQ.CLAIMS.UPDATE", "$JS.ACK.submissions.masters.1.1.1.1.0",
	}
	headers := []nats.Header{
		nil, {"Nats-Rollup": {"all"}}, {"Nats-Rollup": {"sub"}}, {"KV-Operation": {"PURGE"}, "Nats-Rollup": {"sub"}},
		{"Nats-Trace-Dest": {bus.Command("p2")}}, {"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {bus.ValueSubject(bus.BucketBasket, "p2.ip")}},
		{"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}}, {"Nats-Incr": {"1"}},
		{"Nats-Subject": {bus.ValueSubject(bus.BucketBasket, "p2.ip")}}, {"Nats-Request-Info": {`{"acc":"` + s.Hierarchy.CoreAccount() + `"}`}},
	}
	for _, r := range requests {
		for _, reply := range append(replies, bus.Inbox("p1")+".x") {
			for _, h := range headers {
				if err := p1.PublishMsg(&nats.Msg{Subject: r.subject, Reply: reply, Header: h, Data: []byte(r.body)}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := p1.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	controlAttack(t, s, js)

	if after := state(t, js); !maps.Equal(before, after) {
		for k, v := range before {
			if after[k] != v {
				t.Errorf("%s\n was %s\n and is %s", k, v, after[k])
			}
		}
		for k, v := range after {
			if _, ok := before[k]; !ok {
				t.Errorf("%s\n is new: %s", k, v)
			}
		}
	}
	checkHeard(t, heard)
	for {
		m, err := commands.NextMsg(50 * time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if cmd, err := keys.VerifyCommand(s.Account.Public(), "p2", time.Now(), m.Data); err == nil {
			t.Errorf("p2 takes %+v for a command", cmd)
		}
	}
}

// controlAttack is the same attack where it works, by a CORE user with the one right to read an
// entry. Its success shows that the test would see the others', and that they have been dealt with.
func controlAttack(t *testing.T, s *server.TestServer, js jetstream.JetStream) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "VICTIM", Subjects: []string{"victim"}}); err != nil {
		t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.NewUserClaims(public)
	claims.Name = "control"
	claims.Pub.Allow.Add(bus.DirectGet(bus.BucketSettings, "p1"))
	token, err := claims.Encode(keys.CorePair(s.Hierarchy))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	c := connect(t, s, keys.Creds{JWT: token, Seed: seed})
	if err := c.PublishRequest(bus.DirectGet(bus.BucketSettings, "p1"), "$JS.API.STREAM.DELETE.VICTIM", []byte("broken")); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := js.Stream(t.Context(), "VICTIM")
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return
		}
		if err != nil {
			t.Fatal("the attack that should work did not: ", err)
		}
	}
}

// checkHeard looks at everything that reached CORE: whatever is of Zester's or in a bucket must be p1's.
func checkHeard(t *testing.T, heard *nats.Subscription) {
	t.Helper()
	n := 0
	for ; ; n++ {
		m, err := heard.NextMsg(50 * time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == bus.PresenceConnect || m.Subject == bus.PresenceDisconnect {
			continue // from SYS
		}
		ours := strings.HasPrefix(m.Subject, "zester.") || strings.HasPrefix(m.Subject, "$KV.")
		if ours && !slices.Contains(strings.Split(m.Subject, "."), "p1") {
			t.Errorf("CORE hears %s: %.60q", m.Subject, m.Data)
		}
	}
	if n == 0 {
		t.Error("CORE has heard nothing at all")
	}
}

// TestLongestIDConnects: the CONNECT line with the longest id fits a server's default limit.
func TestLongestIDConnects(t *testing.T) {
	s := server.StartTest(t)
	core := s.Core(t)
	for _, id := range []string{strings.Repeat("x", 128), strings.Repeat("a.", 64)[:127] + "b"} {
		creds := s.PeelCreds(t, id)
		if n := len(creds.JWT); n > 3600 {
			t.Errorf("the JWT of a %d character id has %d bytes: with signature, name and options it does not fit 4096", len(id), n)
		}
		peel := s.Connect(t, creds, bus.Peels)
		if _, err := peel.Put(t.Context(), bus.BucketFacts, bus.Token(id), []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := core.Get(t.Context(), bus.BucketFacts, bus.Token(id)); err != nil {
			t.Fatal(err)
		}
	}
}
