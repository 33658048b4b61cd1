// SPDX-License-Identifier: GPL-2.0-only
/* Tables of iptables-nft stay what iptables takes for its own, with comments, counters, sets and a native table
 * between. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "net.h"

SUBJECT(.seconds = 30)

/* The kernel itself sends now and then: chains, and a rule for whatever goes out, may count it. */
#define SAVE "iptables-nft-save -c | sed -E '/^#/d; s/^(:.*) .*/\\1/; s/^.*(-A OUTPUT .* KUBE-SERVICES)$/\\1/'"
#define LIST_TABLE(name)                                                                          \
	"iptables-nft -t " name                                                                   \
	" -L -v -n -x --line-numbers | sed -E 's/(policy [A-Z]*) .*/\\1/; s/^1 .* KUBE-SERVICES " \
	"//'"
#define LIST LIST_TABLE("filter") ";" LIST_TABLE("nat")
#define NFT  "nft -n list ruleset 2>/dev/null | sed -E 's/expires [0-9a-z]*//; s/counter .* (jump KUBE-SERVICES)/\\1/'"

/* As docker and kube-proxy make them. */
static const char rules[] =
	"*raw\n:PREROUTING ACCEPT [0:0]\n[1:1] -A PREROUTING -p udp -m udp --dport 53 -j CT --notrack\nCOMMIT\n"
	"*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:KUBE-PROXY-CANARY - [0:0]\n"
	"[3:300] -A PREROUTING -m conntrack --ctstate RELATED -j MARK --set-xmark 0x4000/0x4000\n"
	"[0:0] -A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\nCOMMIT\n"
	"*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n"
	":KUBE-SERVICES - [0:0]\n:KUBE-SVC-X - [0:0]\n:KUBE-SEP-Y - [0:0]\n"
	"[11:660] -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
	"[0:0] -A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
	"[0:0] -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n"
	"[0:0] -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully\n"
	"[5:300] -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n"
	"[0:0] -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment \"default/x:https cluster IP\" -m tcp "
	"--dport 443 -j KUBE-SVC-X\n"
	"[0:0] -A KUBE-SVC-X -m comment --comment \"a -> b\" -m statistic --mode random --probability 1 -j KUBE-SEP-Y\n"
	"[0:0] -A KUBE-SEP-Y -p tcp -m tcp -j DNAT --to-destination 127.0.0.1:%d\nCOMMIT\n"
	"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:LOGDROP - [0:0]\n"
	"[7:777] -A INPUT -p tcp -m multiport --dports 1,2,3 -m comment --comment \"a \\\"quoted\\\" one\" -j DROP\n"
	"[0:0] -A INPUT -p icmp -m icmp --icmp-type 8 -m limit --limit 5/min --limit-burst 7 -j ACCEPT\n"
	"[0:0] -A INPUT ! -p tcp -m iprange --src-range 10.0.0.1-10.0.0.9 -j REJECT\n"
	"[0:0] -A INPUT -p tcp -m string --string \"evil words\" --algo bm -j LOGDROP\n"
	"[0:0] -A OUTPUT -m owner --uid-owner 1000 -p udp -j ACCEPT\n"
	"[0:0] -A LOGDROP -m limit --limit 2/min -j LOG --log-prefix \"dropped: \" --log-level 4\n"
	"[0:0] -A LOGDROP -j DROP\nCOMMIT\n";

/* Put into a table of iptables by nft. */
static const char native[] =
	"table ip raw {\nset blocked {\ntype ipv4_addr\nflags interval,timeout\n"
	"elements = { 1.2.3.0/24, 1.2.4.0/24 timeout 1h, 9.9.9.9 }\n}\n"
	"chain OTHER {\ndrop\n}\n"
	"map ports {\ntype inet_service : verdict\nelements = { 22 : accept, 80 : jump OTHER }\n}\n"
	"counter seen {\npackets 5 bytes 500\n}\n"
	"chain PREROUTING {\nip saddr @blocked drop\ntcp dport vmap @ports\n"
	"ip saddr { 7.7.7.7, 8.8.8.8 } counter name seen drop\n}\n}\n";

static void feed(const char *program, const char *text, int port)
{
	FILE *pipe = popen(program, "w");

	if (!pipe || fprintf(pipe, text, port) < 0 || pclose(pipe) != 0)
		subject_fail(__FILE__, __LINE__, program, errno);
}

static int listen_somewhere(int *ret_port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = must(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t size = sizeof(name);

	must(bind(listener, (struct sockaddr *)&name, size));
	must(listen(listener, 8));
	must(getsockname(listener, (struct sockaddr *)&name, &size));
	*ret_port = ntohs(name.sin_port);
	return listener;
}

/* By the address of the service, which nobody has. */
static bool reaches(int listener)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(443) };
	int fd = must(socket(AF_INET, SOCK_STREAM, 0)), other;

	inet_pton(AF_INET, "10.96.0.1", &name.sin_addr);
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return false;
	other = accept(listener, NULL, NULL);
	close(other);
	close(fd);
	return other >= 0;
}

int main(void)
{
	char *saved, *listed, *all;
	int listener, port;

	prepare_network();
	if (!runs("iptables-nft -t filter -A INPUT -m comment --comment x && iptables-nft -F INPUT && iptables-nft -X"))
		skip("iptables-nft does not work here");
	run("nft delete table ip filter && ip route add 10.96.0.0/16 dev lo");
	listener = listen_somewhere(&port);
	run("nft 'add table ip before; add chain ip before c { type filter hook input priority 0; }'");
	feed("iptables-nft-restore -c", rules, port);
	feed("nft -f -", native, 0);
	run("nft 'add table inet after; add chain inet after c { type filter hook input priority 0; }'");
	CHECK(reaches(listener));
	saved = output_of(SAVE);
	listed = output_of(LIST);
	all = output_of(NFT);
	CHECK(strstr(saved, "[7:777]") && strstr(saved, "a \\\"quoted\\\" one"));

	checkpoint();

	compare(SAVE, saved);
	compare(LIST, listed);
	compare(NFT, all);
	CHECK(reaches(listener));
	run("iptables-nft -D INPUT -p tcp -m multiport --dports 1,2,3 -m comment --comment 'a \"quoted\" one' -j DROP");
	run("iptables-nft -t nat -D POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE");
	run("iptables-nft -t nat -I DOCKER 1 -p udp -m udp --dport 53 -j RETURN && iptables-nft -t nat -Z");
	run("iptables-nft -t nat -F KUBE-SEP-Y");
	run("ip route del 10.96.0.0/16 dev lo && ip route add prohibit 10.96.0.0/16");
	CHECK(!reaches(listener));
	return 0;
}
