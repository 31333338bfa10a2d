package jobs

// SetPage makes the lists that p asks for come in pages of n.
func SetPage(p *Presence, n int) { p.page = n }
