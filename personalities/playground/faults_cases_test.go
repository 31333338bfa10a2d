//go:build faults

package playground_test

import "time"

// cases are the rows, the longest first: they run side by side.
var cases = []testCase{
	{name: "a master cut off for 10 s", worlds: 3, run: masterCutOff(pick(beforeRecord, noteHeld, firstHeld, midway, afterwards))},
	{name: "a peel cut off for 10 s", worlds: 3, run: peelCutOff(pick(
		onPeel(down, "zester.cmd.*", 1), onPeel(up, "zester.job.*.ack.*", 1), onPeel(up, "zester.job.*.return.*", 1), confirmed,
	))},
	{name: "a peel cut off beyond the job's time", worlds: 3, run: peelCutOffTooLong(pick(
		onPeel(down, "zester.cmd.*", 1), onPeel(up, "zester.job.*.return.*", 1),
	))},
	{name: "the leader of three NATS servers killed", worlds: 2, plan: plan{servers: 3}, run: leaderDies},
	{name: "the leader killed under large returns", worlds: 2, plan: plan{servers: 3}, run: leaderDiesUnderParts},
	{name: "the leader killed between batches", worlds: 2, plan: plan{servers: 3}, run: leaderDiesBetweenBatches},
	{name: "a job killed while a peel is cut off", worlds: 3, run: cancelCutOff},
	{name: "a batch paused, its masters killed", worlds: 2, run: batchPaused},
	{name: "a queued job killed, and its master", worlds: 2, run: cancelQueued},
	{name: "a running job killed, and its master", worlds: 2, run: cancelRunning},
	{name: "a deferred job killed, and its master", worlds: 2, run: cancelDeferred},
	{name: "canaries, their master killed", worlds: 2, run: canaries},
	{name: "a master killed between batches", worlds: 2, run: masterDies(betweenBatches, "--batch=1")},
	{name: "a peel killed in its batch", run: batchPeelDies},
	{name: "a master killed before the record", worlds: 2, run: masterDies(beforeRecord)},
	{name: "a master killed between record and publish", worlds: 2, run: masterDies(pick(noteHeld, firstHeld))},
	{name: "a master killed in the middle of publishing", worlds: 2, run: masterDies(midway)},
	{name: "a master killed after publishing", worlds: 2, run: masterDies(afterwards)},
	{name: "a master killed at 0 to 10 ms", worlds: 2, run: masterDiesAfter(500 * time.Microsecond)},
	{name: "NATS killed and restarted", worlds: 2, run: natsDies},
	{name: "everything killed but the client", worlds: 2, run: powerCut},
	{name: "a deferred job, its masters killed", worlds: 2, run: deferred},
	{name: "NATS killed under large returns", worlds: 2, run: diesUnderParts(func(w *world, _ *process) *process { return w.nats[0] })},
	{name: "a peel killed under large returns", worlds: 2, run: diesUnderParts(func(_ *world, p *process) *process { return p })},
	{name: "a client that stalls", worlds: 2, plan: plan{natsConf: "max_pending: 1MB\nwrite_deadline: \"1s\"\n"}, run: clientStalls},
	{name: "masters of two versions", worlds: 2, plan: plan{other: "m2"}, run: versions},
	{name: "a peel killed before the function", run: peelDies(onPeel(down, "zester.cmd.*", 1), ok)},
	{name: "a peel killed in the function", run: peelDiesInside},
	{name: "a peel killed at 0 to 10 ms", run: peelDiesAfter(500 * time.Microsecond)},
	{name: "a peel killed after the function", run: peelDies(pick(onPeel(up, "zester.job.*.return.*", 1), confirmed), ok)},
	{name: "commands repeated and out of order", run: repeated},
	{name: "a peel's disk full", plan: plan{state: smallDisk}, run: noRoom(fillDisk)},
	{name: "a peel that may not write", run: noRoom(limitFiles)},
	{name: "two peels' clocks 10 minutes off", plan: plan{clock: map[string]string{"web-02": "600", "db-01": "-600"}}, run: clockCase("")},
	{name: "a master's clock 10 minutes ahead", plan: plan{clock: map[string]string{"m2": "600"}}, run: clockCase("")},
	{name: "a master's clock 10 minutes behind", plan: plan{clock: map[string]string{"m2": "-600"}}, run: clockCase("")},
	{name: "NATS's clock 10 minutes off", plan: plan{clock: map[string]string{"n1": "600"}}, run: clockCase("")},
	{name: "the client's clock 10 minutes off", run: clockCase("-600")},
}
