package render

import (
	"fmt"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// saltNetFilters are Salt's filters on addresses.
func saltNetFilters() map[string]filterFunc {
	return map[string]filterFunc{
		"is_ip": filterIsIP(4, 6), "is_ipv4": filterIsIP(4), "is_ipv6": filterIsIP(6),
		"ipaddr": filterIPAddr("ipaddr", 0), "ipv4": filterIPAddr("ipv4", 4), "ipv6": filterIPAddr("ipv6", 6),
		"ip_host": filterNetwork("ip_host", ipHost), "network_hosts": filterNetwork("network_hosts", networkHosts),
		"network_size": filterNetwork("network_size", networkSize), "ipwrap": filterIPWrap,
		"filter_by_networks": filterByNetworks, "gen_mac": filterGenMAC, "mac_str_to_bytes": filterMACBytes,
		"dns_check": filterDNSCheck,
	}
}

// parseInterface reads an address with or without a prefix length or netmask.
func parseInterface(s string) (p netip.Prefix, bare, ok bool) {
	addr, mask, found := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" && found {
		return p, false, false
	}
	if !found {
		return netip.PrefixFrom(a, a.BitLen()), true, true
	}
	n, err := strconv.Atoi(mask)
	if err != nil || mask == "" || mask[0] == '+' || mask[0] == '-' {
		m, err := netip.ParseAddr(mask)
		if err != nil || !a.Is4() || !m.Is4() {
			return p, false, false
		}
		b := m.As4()
		v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		n = bits.LeadingZeros32(^v)
		if v<<n != 0 {
			if n = bits.LeadingZeros32(v); ^v<<n != 0 { // a host mask
				return p, false, false
			}
		}
	}
	p = netip.PrefixFrom(a, n)
	return p, false, p.IsValid()
}

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

var (
	privateNets = prefixes("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
		"192.0.0.170/31", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::1/128", "::/128", "::ffff:0:0/96", "100::/64", "2001::/23", "2001:2::/48", "2001:db8::/32", "2001:10::/28", "fc00::/7", "fe80::/10")
	reservedNets = prefixes("240.0.0.0/4", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/3",
		"6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9")
	siteLocalNets = prefixes("fec0::/10")
)

func within(a netip.Addr, nets []netip.Prefix) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// ipKind answers one of the options of the address filters; unknown ones hold.
func ipKind(a netip.Addr, option string) bool {
	switch option {
	case "global", "public":
		return !within(a, privateNets)
	case "private":
		return within(a, privateNets)
	case "link-local", "linklocal", "ll", "link_local":
		return a.IsLinkLocalUnicast()
	case "loopback", "lo":
		return a.IsLoopback()
	case "multicast":
		return a.IsMulticast()
	case "reserved":
		return within(a, reservedNets)
	case "site-local", "sl", "site_local":
		return within(a, siteLocalNets)
	case "unspecified":
		return a.IsUnspecified()
	}
	return true
}

// ipText is the address in its normal form when it is one of the version (0:
// any) and has all the options.
func ipText(v any, version int, options string) (string, bool) {
	s, ok := text(v)
	if !ok {
		return "", false
	}
	p, bare, ok := parseInterface(s)
	if !ok || version == 4 && !p.Addr().Is4() || version == 6 && p.Addr().Is4() {
		return "", false
	}
	if options != "" {
		for _, o := range strings.Split(options, ",") {
			if !ipKind(p.Addr(), strings.TrimSpace(o)) {
				return "", false
			}
		}
	}
	if bare {
		return p.Addr().String(), true
	}
	return p.String(), true
}

func optionText(v any) string {
	if v == missing || !truth(v) {
		return ""
	}
	return wantStr(v)
}

func filterIsIP(versions ...int) filterFunc {
	return func(_ *frame, v any, a args) any {
		options := optionText(a.bind("is_ip", 0, "options")[0])
		for _, version := range versions {
			if _, ok := ipText(v, version, options); ok {
				return true
			}
		}
		return false
	}
}

// selectIPs is one address, or the good ones of a list.
func selectIPs(v any, version int, options string) any {
	switch v.(type) {
	case *List, *Tuple, *iterValue:
		out := &List{}
		items := collect(v)
		versions := []int{version}
		if version == 0 {
			versions = []int{4, 6}
		}
		for _, ver := range versions {
			for _, x := range items {
				if s, ok := ipText(x, ver, options); ok {
					out.items = append(out.items, s)
				}
			}
		}
		return out
	}
	refuseUndefined(v)
	if s, ok := ipText(v, version, options); ok {
		return s
	}
	return nil
}

func filterIPAddr(name string, version int) filterFunc {
	return func(_ *frame, v any, a args) any {
		return selectIPs(v, version, optionText(a.bind(name, 0, "options")[0]))
	}
}

// filterNetwork applies a function to the addresses a value holds.
func filterNetwork(name string, of func(netip.Prefix) any) filterFunc {
	return func(_ *frame, v any, a args) any {
		b := a.bind(name, 0, "options", "version")
		version := 0
		if ver := or(b[1], nil); ver != nil {
			version = wantInt(ver)
		}
		good := selectIPs(v, version, optionText(b[0]))
		if good == nil || !truth(good) {
			return nil
		}
		if s, ok := text(good); ok {
			p, _, _ := parseInterface(s)
			return of(p)
		}
		out := &List{}
		for _, x := range collect(good) {
			p, _, _ := parseInterface(str(x))
			out.items = append(out.items, of(p))
		}
		return out
	}
}

func ipHost(p netip.Prefix) any { return p.String() }

func networkSize(p netip.Prefix) any {
	return normal(new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits())))
}

func networkHosts(p netip.Prefix) any {
	host := p.Addr().BitLen() - p.Bits()
	if host > 20 {
		throw("ValueError", "network_hosts: %s has too many addresses to list", p)
	}
	p = p.Masked()
	out := &List{}
	n := 1 << host
	addr := p.Addr()
	for i := range n {
		v4ends := addr.Is4() && host > 1 && (i == 0 || i == n-1)
		v6router := addr.Is6() && host > 1 && i == 0
		if !v4ends && !v6router {
			out.items = append(out.items, addr.String())
		}
		addr = addr.Next()
	}
	return out
}

func wrapIP(v any) any {
	if s, ok := text(v); ok {
		if _, is6 := ipText(v, 6, ""); is6 {
			return "[" + strings.Trim(s, "[]") + "]"
		}
	}
	return v
}

func filterIPWrap(_ *frame, v any, a args) any {
	a.none("ipwrap")
	switch v.(type) {
	case *List, *Tuple:
		out := &List{}
		for _, x := range sequence(v) {
			out.items = append(out.items, wrapIP(x))
		}
		return out
	}
	refuseUndefined(v)
	return wrapIP(v)
}

func filterByNetworks(_ *frame, v any, a args) any {
	arg := a.bind("filter_by_networks", 1, "networks")[0]
	if arg == nil {
		return v
	}
	var nets []netip.Prefix
	for _, x := range collect(arg) {
		p, _, ok := parseInterface(wantStr(x))
		if !ok || p.Masked() != p {
			throw("ValueError", "%s is no network (or has host bits set)", repr(x))
		}
		nets = append(nets, p)
	}
	keep := func(ips any) *List {
		out := &List{}
		for _, x := range collect(ips) {
			addr, err := netip.ParseAddr(wantStr(x))
			if err != nil {
				throw("ValueError", "%s does not appear to be an IPv4 or IPv6 address", repr(x))
			}
			for _, n := range nets {
				if n.Contains(addr) {
					out.items = append(out.items, x)
				}
			}
		}
		return out
	}
	if d, ok := v.(*Dict); ok {
		out := &Dict{}
		for k, ips := range d.All() {
			out.put(k, keep(ips))
		}
		return out
	}
	return keep(v)
}

func filterGenMAC(_ *frame, v any, a args) any {
	a.none("gen_mac")
	return fmt.Sprintf("%s:%02X:%02X:%02X", wantStr(v), rand.IntN(256), rand.IntN(256), rand.IntN(256))
}

func filterMACBytes(_ *frame, v any, a args) any {
	a.none("mac_str_to_bytes")
	s := wantStr(v)
	if len(s) == 17 {
		s = strings.ReplaceAll(s, s[2:3], "")
	}
	if len(s) != 12 {
		throw("ValueError", "Invalid MAC address")
	}
	out := make([]byte, 6)
	for i := range out {
		n, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		if err != nil {
			throw("ValueError", "Invalid MAC address")
		}
		out[i] = byte(n)
	}
	return out
}

// filterDNSCheck resolves a name to an address.
func filterDNSCheck(f *frame, v any, a args) any {
	b := a.bind("dns_check", 0, "port", "safe", "ipv6")
	addrs, err := net.DefaultResolver.LookupNetIP(f.r.ctx, "ip", wantStr(v))
	if err != nil {
		f.r.checkContext()
		if truth(or(b[1], false)) {
			return nil
		}
		throw("OSError", "DNS lookup of %s failed", repr(v))
	}
	six := truth(or(b[2], false))
	for _, addr := range addrs {
		if addr = addr.Unmap(); addr.Is6() == six {
			return wrapIP(addr.String())
		}
	}
	return nil
}
