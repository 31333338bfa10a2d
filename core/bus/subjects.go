package bus

import (
	"fmt"
	"strings"
)

// Subjects of the fleet. A peel id stands in a subject as its Token.
const (
	// AllCommands is what the masters export and the peels import.
	AllCommands = "zester.cmd.*"
	// AllAcks, AllReturns and AllEvents are what peels may send, each under its own token only.
	AllAcks    = "zester.job.*.ack.*"
	AllReturns = "zester.job.*.return.*"
	AllEvents  = "zester.event.*.>"
	// AllOutputs carries what commands print while they run: nobody keeps it.
	AllOutputs = "zester.job.*.out.*"
	// AllParts carries the values of returns that are too large for one message. They are no
	// job's subjects: whoever follows a job reads them from the stream, when they are all there.
	AllParts = "zester.part.*.*.*"
	// AllJobChanges says of each job whose record an order has changed that it must be read again.
	AllJobChanges = "zester.job.*.changed"
	// MasterHolds is where masters tell each other what they take from the queue of jobs.
	MasterHolds = "zester.master.holds"
	// MasterRoll is where a master asks all others what they have in hand.
	MasterRoll = "zester.master.roll"
	// AllSubmissions carries job requests; the last token is the operator, which NATS fixes.
	AllSubmissions = "zester.submit.*"
	// AllAsks carries peels' questions to the masters: the asking peel, then the question.
	AllAsks = "zester.ask.*.*"
	// AllOrders carries operators' questions and orders to the masters: the operator, then the order.
	AllOrders = "zester.op.*.>"
	// AllJobs is everything said about any job.
	AllJobs = "zester.job.>"
	// AllDirectGets and AllStreamInfos are JetStream's own: reading anything that is stored, and
	// looking at any stream.
	AllDirectGets  = "$JS.API.DIRECT.GET.>"
	AllStreamInfos = "$JS.API.STREAM.INFO.*"
	// AllRepublished carries a note for each bucket entry that changed: a hint to go and read, never data.
	AllRepublished = "zester.rec.>"

	// PresenceConnect, PresenceDisconnect and PresenceList are the system account's
	// connection events and connection list of the peels, imported under these names.
	PresenceConnect    = "zester.presence.connect"
	PresenceDisconnect = "zester.presence.disconnect"
	PresenceList       = "zester.presence.list"
)

// Command is the subject on which a peel takes its commands.
func Command(peel string) string { return "zester.cmd." + Token(peel) }

// MasterAlive is the subject that a master listens on while it is there.
func MasterAlive(master string) string { return "zester.master.alive." + master }

// LeaseHeld is the subject that the holder of a lease listens on.
func LeaseHeld(lease, token string) string { return "zester.master.lease." + lease + "." + token }

// JobAll matches everything said about a job: acks, returns and the masters' notes.
func JobAll(jid string) string { return "zester.job." + jid + ".>" }

// JobNotes is where a master tells a job's submitter whom it addressed, or why it refused.
func JobNotes(jid string) string { return "zester.job." + jid + ".note" }

// JobChanged is where a master says that a job's record is another now: cancelled, say.
func JobChanged(jid string) string { return "zester.job." + jid + ".changed" }

// ChangedJob is the job id of a JobChanged subject; empty for any other.
func ChangedJob(subject string) string {
	p := strings.Split(subject, ".")
	if len(p) != 4 || p[0] != "zester" || p[1] != "job" || p[3] != "changed" {
		return ""
	}
	return p[2]
}

// Ack is where a peel says that it has taken a job.
func Ack(jid, peel string) string { return "zester.job." + jid + ".ack." + Token(peel) }

// Return is where a peel's result of a job goes; the first one stays.
func Return(jid, peel string) string { return "zester.job." + jid + ".return." + Token(peel) }

// Output is where a peel shows what a job's commands print while they run.
func Output(jid, peel string) string { return "zester.job." + jid + ".out." + Token(peel) }

// Returns matches all returns of a job.
func Returns(jid string) string { return Return(jid, "*") }

// Part is where part n of the value of a peel's return goes; "*" stands for any.
func Part(jid, peel, n string) string { return "zester.part." + jid + "." + Token(peel) + "." + n }

// ParsePart takes a part's subject apart.
func ParsePart(subject string) (jid, peel, n string, ok bool) {
	p := strings.Split(subject, ".")
	if len(p) != 5 || p[0] != "zester" || p[1] != "part" {
		return "", "", "", false
	}
	return p[2], FromToken(p[3]), p[4], true
}

// ParseJobSubject takes apart the subject of an ack, a return or output: kind is its fourth word. ok is false for any other.
func ParseJobSubject(subject string) (jid, kind, peel string, ok bool) {
	p := strings.Split(subject, ".")
	if len(p) != 5 || p[0] != "zester" || p[1] != "job" || (p[3] != "ack" && p[3] != "return" && p[3] != "out") {
		return "", "", "", false
	}
	return p[2], p[3], FromToken(p[4]), true
}

// Submit is the subject of an operator's job requests.
func Submit(operator string) string { return "zester.submit." + Token(operator) }

// Submitter is the operator of a Submit subject.
func Submitter(subject string) string {
	return FromToken(strings.TrimPrefix(subject, "zester.submit."))
}

// Ask is the subject of a peel's question to the masters.
func Ask(peel, question string) string { return "zester.ask." + Token(peel) + "." + question }

// Order is the subject of an operator's question or order to the masters.
func Order(operator, order string) string { return "zester.op." + Token(operator) + "." + order }

// Asker is the peel of an Ask subject or the operator of an Order subject: NATS has checked
// that the sender may use that name.
func Asker(subject string) string {
	p := strings.SplitN(subject, ".", 4)
	if len(p) < 4 {
		return ""
	}
	return FromToken(p[2])
}

// Event is the subject of a peel's event.
func Event(peel, tag string) string { return "zester.event." + Token(peel) + "." + tag }

// Inbox is the reply prefix of one user; nobody else may listen below it.
func Inbox(user string) string { return "_INBOX_" + Token(user) }

// Token is a peel id or operator name as one subject token: a dot becomes '=', which no id may hold.
func Token(id string) string { return strings.ReplaceAll(id, ".", "=") }

// FromToken undoes Token.
func FromToken(token string) string { return strings.ReplaceAll(token, "=", ".") }

// CheckPeelID says what is wrong with a peel id: 1 to 128 of [A-Za-z0-9._-] are right.
func CheckPeelID(id string) error {
	if id == "" || len(id) > 128 {
		return fmt.Errorf("peel id %.40q has %d characters: use 1 to 128 of letters, digits, '.', '_' and '-'", id, len(id))
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; !wordByte(c) && c != '.' {
			return fmt.Errorf("peel id %q: character %d, %q, is not allowed: use letters, digits, '.', '_' and '-'", id, i+1, c)
		}
	}
	return nil
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// Subjects under which the two accounts see the buckets. A peel has no JetStream of its own:
// CORE exports exactly these.
// StreamOf is the stream that holds a bucket.
func StreamOf(bucket string) string { return "KV_" + bucket }

// ValueSubject is where a bucket's entry is written, on both sides.
func ValueSubject(bucket, key string) string { return "$KV." + bucket + "." + key }

// DirectGet is CORE's subject for reading one entry, or all of a bucket's with key ">".
func DirectGet(bucket, key string) string {
	return "$JS.API.DIRECT.GET." + StreamOf(bucket) + "." + ValueSubject(bucket, key)
}

// DirectBatch is CORE's subject for reading many entries of a bucket in one request.
func DirectBatch(bucket string) string { return "$JS.API.DIRECT.GET." + StreamOf(bucket) }

// PeelGet is DirectGet as the peels see it.
func PeelGet(bucket, key string) string { return "zester.get." + bucket + "." + key }

// PeelBatch is DirectBatch as the peels see it.
func PeelBatch(bucket string) string { return "zester.batch." + bucket }

// Republished is where a note of a changed entry appears.
func Republished(bucket, key string) string { return "zester.rec." + bucket + "." + key }

// WatchSubjects are the API subjects that Watch needs for a bucket.
func WatchSubjects(bucket string) []string {
	s := StreamOf(bucket)
	return []string{
		"$JS.API.STREAM.INFO." + s,
		"$JS.API.CONSUMER.CREATE." + s + ".>",
		"$JS.API.CONSUMER.INFO." + s + ".*",
		"$JS.API.CONSUMER.DELETE." + s + ".*",
		"$JS.FC." + s + ".>", // answers to the server's flow control
	}
}
