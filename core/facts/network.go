package facts

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// network reads interfaces, addresses and routes.
func (o Options) network(f set) {
	var v4, v6 []any
	byName, byName4, byName6, macs, details := set{}, set{}, set{}, set{}, set{}
	temporary := o.temporaryAddresses()
	interfaces, err := net.Interfaces()
	if err != nil {
		interfaces = nil // some sandboxes forbid netlink; the default addresses may still be found
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || transient(i.Name) {
			continue
		}
		own4, own6 := addresses(i, temporary)
		mac := i.HardwareAddr.String()
		if i.Flags&net.FlagLoopback != 0 {
			mac = "00:00:00:00:00:00"
		}
		v4, v6 = append(v4, own4...), append(v6, own6...)
		byName[i.Name] = append(slices.Clone(own4), own6...)
		byName4[i.Name], byName6[i.Name] = own4, own6
		macs.put(i.Name, mac)
		detail := set{"mtu": int64(i.MTU)}
		detail.put("ipv4", own4)
		detail.put("ipv6", own6)
		detail.put("mac", mac)
		details.put(i.Name, detail)
	}
	v4, v6 = sorted(v4), sorted(v6)
	f.put("ipv4", v4)
	f.put("ipv6", v6)
	f.put("ip_interfaces", byName)
	f.put("ip4_interfaces", byName4)
	f.put("ip6_interfaces", byName6)
	f.put("hwaddr_interfaces", macs)
	f.put("default_ipv4", defaultAddress("udp4", "192.0.2.1:9", v4))
	f.put("default_ipv6", defaultAddress("udp6", "[2001:db8::1]:9", v6))
	f.put("ip4_gw", o.gateway())

	group := set{}
	f.copy(group, "hostname", "hostname", "fqdn", "fqdn", "domain", "domain", "ipv4", "ipv4", "ipv6", "ipv6",
		"default_ipv4", "default_ipv4", "default_ipv6", "default_ipv6", "ip_addrs", "default_ipv4", "gateway", "ip4_gw")
	group.put("interfaces", details)
	group.put("nameservers", o.nameservers())
	f.put("network", group)
}

// transient tells interfaces that come and go with containers and virtual machines, and would make the facts change all day.
func transient(name string) bool {
	for _, prefix := range []string{"veth", "cali", "vnet", "lxc", "tap", "fwpr", "fwln", "fwbr"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func addresses(i net.Interface, temporary map[netip.Addr]bool) (v4, v6 []any) {
	v4, v6 = []any{}, []any{}
	list, err := i.Addrs()
	if err != nil {
		return v4, v6
	}
	for _, a := range list {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		switch addr := p.Addr().Unmap(); {
		case addr.Is4():
			v4 = append(v4, addr.String())
		case !temporary[addr]:
			v6 = append(v6, addr.WithZone("").String())
		}
	}
	return v4, v6
}

func sorted(list []any) []any {
	slices.SortFunc(list, func(a, b any) int {
		x, _ := netip.ParseAddr(a.(string))
		y, _ := netip.ParseAddr(b.(string))
		return x.Compare(y)
	})
	return slices.Compact(list)
}

// defaultAddress is the address a packet to the rest of the world would leave from; connecting a datagram socket sends nothing.
// Without such a route it is the first address that others could know.
func defaultAddress(network, beyond string, own []any) any {
	if c, err := net.Dial(network, beyond); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok && slices.Contains(own, any(a.IP.String())) {
			return a.IP.String()
		}
	}
	for _, text := range own {
		if a, err := netip.ParseAddr(text.(string)); err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			return text
		}
	}
	return nil
}

// temporaryAddresses are IPv6 privacy addresses, which the kernel replaces every few hours.
func (o Options) temporaryAddresses() map[netip.Addr]bool {
	const temporaryFlag = 0x01
	found := map[netip.Addr]bool{}
	for line := range o.lines("proc/net/if_inet6") {
		fields := strings.Fields(line)
		if len(fields) != 6 {
			continue
		}
		raw, err := hex.DecodeString(fields[0])
		flags, err2 := hex.DecodeString(fields[4])
		if err != nil || err2 != nil || len(flags) == 0 || flags[len(flags)-1]&temporaryFlag == 0 {
			continue
		}
		if a, ok := netip.AddrFromSlice(raw); ok {
			found[a] = true
		}
	}
	return found
}

// gateway is the IPv4 default route's.
func (o Options) gateway() any {
	for line := range o.lines("proc/net/route") {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "00000000" || fields[2] == "00000000" {
			continue
		}
		if raw, err := hex.DecodeString(fields[2]); err == nil && len(raw) == 4 {
			slices.Reverse(raw) // the kernel prints them in its own byte order; every supported one is little-endian
			return netip.AddrFrom4([4]byte(raw)).String()
		}
	}
	return nil
}

func (o Options) nameservers() []any {
	var list []any
	for line := range o.lines("etc/resolv.conf") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "nameserver" {
			list = append(list, fields[1])
		}
	}
	return list
}
