# A good guest while it connects: to an address that takes no connection, to a host
# whose name is looked up for ever, and to ports that say nothing, at whatever place
# of the handshake.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Guest;
use dbmazz::Load;
use dbmazz::Node;

# names that the test makes up
my $names = PostgreSQL::Test::Utils::tempdir() . '/names.so';
system_or_bail($ENV{CC} // 'cc', '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', $names,
	dirname(abs_path(__FILE__)) . '/../unit/sinks/names.c', '-ldl');
$ENV{NAMES} = 'hang.test=hang;fe.test=127.0.0.1';
$ENV{LD_PRELOAD} = $names;
my $node = dbmazz::Node->start_new('main', conf => settle_settings() . <<~'CONF');
	dbmazz.starrocks_connect_timeout = 1h
	dbmazz.starrocks_request_timeout = 1h
	dbmazz.starrocks_tls_verify = off
	CONF
$node->safe_psql('postgres', <<~'SQL');
	CREATE TABLE orders (id int PRIMARY KEY, n int NOT NULL);
	CREATE PUBLICATION dbmazz_pub FOR TABLE orders;
	INSERT INTO orders VALUES (1, 0);
	SQL

# A pipeline with these settings of the sink, that sends what the statement makes;
# 'reached' waits until it hangs where it should.  Each has a destination of its own,
# for at one that was used before it would first ask what became of the last request.
my $count = 0;

sub connecting
{
	my ($state, $settings, $statement, $reached) = @_;
	$count++;
	guest_in($node, $state, sub {
		$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('p', copy => false, settings => '{$settings,starrocks_database=shop$count}')");
		$node->run_pipeline('postgres', 'p');
		$node->safe_psql('postgres', $statement);
		$node->poll_query_until('postgres', q(SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline))
		  or die 'nothing to send';
		$reached->();
	});
	$node->start;
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('p')));
	$node->safe_psql('postgres', q(SELECT dbmazz.drop_pipeline('p')));
	return;
}

my $change = 'UPDATE orders SET n = n + 1';

# The shipper has a thread that waits.
sub wait_for_thread
{
	my $pid = $node->worker_pid('shipper');
	return wait_until('a thread', sub { my @threads = glob "/proc/$pid/task/*"; @threads > 1 });
}

# It has a socket that is not connected yet, to this port.
sub wait_for_socket
{
	my ($port) = @_;
	my $to = sprintf ' 0100007F:%04X 02 ', $port;
	return wait_until('a socket', sub { slurp_file('/proc/net/tcp') =~ /$to/ });
}

# ---- HTTP -----------------------------------------------------------------------------

my ($hole, @sockets) = black_hole();
connecting('a port that takes no connection', "starrocks_url=http://127.0.0.1:$hole", $change,
	sub { wait_for_socket($hole) });
connecting('a name that is looked up for ever', 'starrocks_url=http://hang.test:8030', $change,
	\&wait_for_thread);

my ($port, $connected) = silent_listener();
connecting('a frontend that says nothing', "starrocks_url=http://127.0.0.1:$port", $change, $connected);
($port, $connected) = silent_listener(sends => 1);
connecting('a frontend in the middle of the TLS handshake', "starrocks_url=https://127.0.0.1:$port", $change,
	$connected);

# ---- the MySQL port ---------------------------------------------------------------------

my $url = 'starrocks_url=http://127.0.0.1:1';
my $tls_url = 'starrocks_url=https://127.0.0.1:1';

connecting('a MySQL port that takes no connection', "$url,starrocks_mysql_address=127.0.0.1:$hole",
	'TRUNCATE orders', sub { wait_for_socket($hole) });
connecting('a MySQL port with a name that is looked up for ever',
	"$url,starrocks_mysql_address=hang.test:9030", 'TRUNCATE orders', \&wait_for_thread);

# From a server with TLS: 8.0.33, thread 1, the method mysql_native_password.
my $body = "\x0a8.0.33\0" . pack('V', 1) . 'a' x 8 . "\0" . pack('v', 0x8a01) . "\x21\2\0" . pack('v', 0x8)
  . "\x15" . "\0" x 10 . 'b' x 12 . "\0mysql_native_password\0";
my $greeting = substr(pack('V', length $body), 0, 3) . "\0" . $body;

for my $case (
	[ 'no greeting', $url, '127.0.0.1' ],
	[ 'no answer to the login', $url, '127.0.0.1', greeting => $greeting ],
	[ 'no greeting, with TLS', $tls_url, 'fe.test' ],
	[ 'no TLS handshake', $tls_url, 'fe.test', greeting => $greeting ])
{
	my ($what, $at, $host, %options) = @$case;
	($port, $connected) = silent_listener(%options);
	connecting("a MySQL port: $what", "$at,starrocks_mysql_address=$host:$port", 'TRUNCATE orders', $connected);
}

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing has crashed');
$node->stop;
done_testing();
