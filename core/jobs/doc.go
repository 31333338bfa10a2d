// Package jobs runs functions on many peels at once: it submits, dispatches and collects.
//
// Three parties meet over the bus. A Client publishes a Request to the work queue and follows
// the job. A Dispatcher, in every master, takes requests from the queue, writes the job's
// Record, signs once and publishes one command per target; it keeps nothing that the next
// master could not rebuild from the record and the stream of returns, so a job survives any
// master. A Runner, in every peel, verifies a command before it looks at anything else, writes
// the job id to disk before the function starts, and keeps the Return until the stream has it.
//
// Guarantees: a function that can change the host runs at most once per job and peel, power
// cuts included; a return is delivered at least once, and of several the first stays. Mutating
// functions of a peel run one at a time in the order of arrival, the others beside them. What
// waits is bounded everywhere, and what does not fit is refused with a clear return.
//
// A job may wait for peels to connect (Request.Wait), go to its targets in batches
// (Request.Batch), and be cancelled, paused, resumed and aborted (Client.Send). What it takes to
// go on with any of these is in the record and beside it: a master that dies is replaced as soon
// as the others notice or it is back, at the latest after AckWait. All masters go by NATS's
// clock, and a peel whose own is off by the masters', who sign the time for it: nothing starts
// when its time is up, and no job fails for a clock that is wrong. Job ids sort by time; List reads the history
// from its end. For whoever looks or gives an order a job is over with its last return, though its
// record is closed when a master next looks at it. Values of up to 64 MiB are returned whole, in parts. Following and looking
// need no master.
//
// Within its own name a peel may store what it likes: the masters remove returns of jobs that it
// was not given (guard), and a value's parts count only as its return describes them.
//
// Cost per target: one command, one return with its acknowledgement, and for what mutates or
// takes longer than a moment one ack; on the peel one fsync for what mutates, one write for what
// only reads. The return of what only reads, and quickly, is sent without asking for an
// acknowledgement: the masters' looks at the stream find what is missing and ask the peel again,
// a connection made anew makes it ask, and so does, for whatever is left, Runner.Confirm. Until
// its return has been written, within a minute, a death of the peel makes such a job an
// interrupted one, which changes nothing where the stream has the return. Per job: one request,
// one record, one signature, a note, and a look at the returns now and then until the deadline.
//
// Presence follows which peels are connected, from the server's own events. The package does
// not resolve targets, know functions or print: those come in through Resolver, Executor and
// the events of a Job.
package jobs
