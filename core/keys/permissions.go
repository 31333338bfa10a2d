package keys

import (
	"github.com/nats-io/jwt/v2"

	"github.com/ptorbus/zester/core/bus"
)

// This file is the whole of who may do what.
//
// The boundary is between the accounts. JetStream answers on whatever reply subject a caller
// names, so nobody who has a right on its API is confined by subject permissions; hence the
// peels' account has no JetStream, and imports, one by one, what coreExports lists. Within
// PEELS the permissions below do confine: a peel may speak under its own name only.
//
// Two things a peel can do to another all the same, by naming the other's subjects as the reply
// subject of a request of its own: make bytes arrive on its command subject (commands are
// signed), and on its republish subjects (a hint to go and read, never data).

// peelSubscriptions bounds what a peel may have open: its inbox, commands, hints, and batched
// reads at work.
const peelSubscriptions = 256

// peelPermissions are the rights of one peel.
func peelPermissions(id string) jwt.Permissions {
	token := bus.Token(id)
	return jwt.Permissions{
		Pub: jwt.Permission{Allow: jwt.StringList{
			bus.Ack("*", id),
			bus.Return("*", id),
			bus.Output("*", id),
			bus.Part("*", id, "*"),
			bus.Event(id, ">"),
			bus.Ask(id, "*"),
			bus.ValueSubject(bus.BucketFacts, token),
			bus.ValueSubject(bus.BucketBasket, token+".>"),
			bus.PeelGet(bus.BucketFacts, token),
			bus.PeelGet(bus.BucketSettings, token),
			bus.PeelGet(bus.BucketTrees, ">"),
			bus.PeelGet(bus.BucketBasket, ">"),
			bus.PeelBatch(bus.BucketBasket),
			bus.PeelBatch(bus.BucketFiles),
		}},
		Sub: jwt.Permission{Allow: jwt.StringList{
			bus.Command(id),
			bus.Republished(bus.BucketSettings, token),
			bus.Republished(bus.BucketTrees, "*"),
			bus.Inbox(id) + ".>",
		}},
	}
}

// operatorPermissions are the rights of one operator. They keep the name on a job true and
// confine mistakes, not malice: with rights on the JetStream API an operator is trusted, as
// the comment at the top tells.
func operatorPermissions(name string) jwt.Permissions {
	p := jwt.Permissions{
		Pub: jwt.Permission{Allow: jwt.StringList{
			bus.Submit(name),
			bus.Order(name, ">"),
			bus.PresenceList,
			bus.ValueSubject(bus.BucketBasket, ">"), // zester basket rm
			bus.AllDirectGets,
			bus.AllStreamInfos,
			"$SYS.REQ.USER.INFO", // who am I, and what is the server's time
		}},
		Sub: jwt.Permission{Allow: jwt.StringList{
			bus.AllJobs,
			bus.Inbox(name) + ".>",
		}},
	}
	for _, bucket := range []string{bus.BucketBasket, bus.BucketFacts, bus.BucketJobs, bus.BucketEnrollments} {
		p.Pub.Allow.Add(bus.WatchSubjects(bucket)...)
	}
	return p
}

// masterPermissions are the rights of a master: all of CORE. It creates the streams, writes
// the buckets and speaks to every peel; a list would leave it able to do the same and would
// only look like a fence.
func masterPermissions() jwt.Permissions { return jwt.Permissions{} }

// systemPermissions are the rights of the system user, whose one task is to push the accounts'
// JWTs to the servers when they change.
func systemPermissions(name string) jwt.Permissions {
	return jwt.Permissions{
		Pub: jwt.Permission{Allow: jwt.StringList{"$SYS.REQ.>"}},
		Sub: jwt.Permission{Allow: jwt.StringList{"$SYS.>", "_INBOX.>", bus.Inbox(name) + ".>"}},
	}
}

// service and stream are the two kinds of things an account can hand to another.
type grant struct {
	subject string // in the account that gives
	local   string // in the account that takes, where it differs
	kind    jwt.ExportType
	many    bool // a request has more than one answer
}

// coreGrants is what CORE gives to PEELS. An import is open to the whole account; which part
// of it one peel may use is for peelPermissions to say.
func coreGrants() []grant {
	service, stream := jwt.Service, jwt.Stream
	return []grant{
		{subject: bus.AllCommands, kind: stream},
		{subject: bus.AllRepublished, kind: stream},
		{subject: bus.AllAcks, kind: service},
		{subject: bus.AllReturns, kind: service},
		{subject: bus.AllOutputs, kind: service},
		{subject: bus.AllParts, kind: service},
		{subject: bus.AllEvents, kind: service},
		{subject: bus.AllAsks, kind: service},
		{subject: bus.ValueSubject(bus.BucketFacts, "*"), kind: service},
		{subject: bus.ValueSubject(bus.BucketBasket, "*.>"), kind: service},
		{subject: bus.DirectGet(bus.BucketFacts, "*"), local: bus.PeelGet(bus.BucketFacts, "*"), kind: service},
		{subject: bus.DirectGet(bus.BucketSettings, "*"), local: bus.PeelGet(bus.BucketSettings, "*"), kind: service},
		{subject: bus.DirectGet(bus.BucketTrees, ">"), local: bus.PeelGet(bus.BucketTrees, ">"), kind: service},
		{subject: bus.DirectGet(bus.BucketBasket, ">"), local: bus.PeelGet(bus.BucketBasket, ">"), kind: service},
		{subject: bus.DirectBatch(bus.BucketBasket), local: bus.PeelBatch(bus.BucketBasket), kind: service, many: true},
		{subject: bus.DirectBatch(bus.BucketFiles), local: bus.PeelBatch(bus.BucketFiles), kind: service, many: true},
	}
}

// systemGrants is what SYS gives to CORE: the comings and goings of the peels, and nobody else's.
func systemGrants(peels string) []grant {
	return []grant{
		{subject: "$SYS.ACCOUNT." + peels + ".CONNECT", local: bus.PresenceConnect, kind: jwt.Stream},
		{subject: "$SYS.ACCOUNT." + peels + ".DISCONNECT", local: bus.PresenceDisconnect, kind: jwt.Stream},
		{subject: "$SYS.REQ.ACCOUNT." + peels + ".CONNZ", local: bus.PresenceList, kind: jwt.Service, many: true},
	}
}

func (g grant) export() *jwt.Export {
	e := &jwt.Export{Name: g.subject, Subject: jwt.Subject(g.subject), Type: g.kind}
	if g.many {
		e.ResponseType = jwt.ResponseTypeStream
	}
	return e
}

func (g grant) imported(from string) *jwt.Import {
	return &jwt.Import{Name: g.subject, Subject: jwt.Subject(g.subject), LocalSubject: jwt.RenamingSubject(g.local), Account: from, Type: g.kind}
}
