package client

import (
	"fmt"

	"github.com/ptorbus/zester/core/jobs"
	"github.com/ptorbus/zester/core/states"
)

func returnData(r jobs.Return) map[string]any {
	data := map[string]any{
		"peel": r.Peel, "success": r.Success && !r.Cut, "retcode": r.Retcode, "value": r.Value, "error": r.Error,
		"duration": r.Duration.Seconds(), "jid": r.JID,
	}
	if r.Reason != "" {
		data["reason"] = string(r.Reason)
	}
	return data
}

// result prints one peel's return.
func (p *printer) result(r jobs.Return) {
	if p.format != "text" {
		p.line(returnData(r))
		return
	}
	color := green
	if r.Failed() {
		color = red
	}
	fmt.Fprintf(p.out, "%s\n", p.paint(color, r.Peel+":"))
	if states.IsReport(r.Value) {
		states.WriteReport(p.out, r.Peel, r.Value.(map[string]any), states.TextOptions{Output: p.states, Color: p.color})
		return
	}
	if r.Value != nil || r.Error == "" {
		p.nested(r.Value, 4)
	}
	if r.Error != "" {
		fmt.Fprint(p.out, p.paint(red, indented("ERROR: "+r.Error, "    ")), "\n")
	}
}

// problem prints why there is no return of a peel.
func (p *printer) problem(peel, text string) {
	if p.format != "text" {
		p.line(map[string]any{"peel": peel, "success": false, "error": text})
		return
	}
	fmt.Fprintf(p.out, "%s\n    %s\n", p.paint(red, peel+":"), p.paint(red, text))
}
