# dbmazz.failover with a standby that lags all the time, and by more than
# dbmazz.checkpoint_interval: each checkpoint is followed by the next one before the
# standby has it, and yet the slot moves on, and never beyond what the standby has.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

use dbmazz::Load;
use dbmazz::Node;
use dbmazz::Sandbox;

my $delay = 1;	# seconds that WAL is under way; a checkpoint is due after 0.05

plan skip_all => 'failover slots are of PostgreSQL 17' if dbmazz::Node->new('none')->pg_version < 17;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text) }

# Move bytes between sockets; those of the server arrive late.
sub relay
{
	my ($listener, $path) = @_;
	my $parent = getppid();
	my $select = IO::Select->new($listener);
	my (%other, %is_server, @late);
	my $hang_up = sub {
		my ($socket) = @_;
		my $peer = delete $other{$socket} or return;
		delete $other{$peer};
		for ($socket, $peer) { $select->remove($_); close $_ }
	};
	while (getppid() == $parent)
	{
		for my $socket ($select->can_read(0.02))
		{
			if ($socket == $listener)
			{
				my $client = $listener->accept or next;
				my $server = IO::Socket::UNIX->new(Peer => $path) or next;
				@other{ $client, $server } = ($server, $client);
				$is_server{$server} = 1;
				$select->add($client, $server);
			}
			elsif (!$other{$socket})
			{
				next;	# its peer has just hung up
			}
			elsif (!sysread $socket, my $bytes, 65536)
			{
				$hang_up->($socket);
			}
			elsif ($is_server{$socket})
			{
				push @late, [ time + $delay, $socket, $bytes ];
			}
			else
			{
				print { $other{$socket} } $bytes;
			}
		}
		while (@late && $late[0][0] <= time)
		{
			my (undef, $socket, $bytes) = @{ shift @late };
			my $client = $other{$socket} or next;
			print {$client} $bytes;
		}
	}
	return;
}

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "no socket: $!";
my $port = $listener->sockport;
my $relay = fork // die "no process: $!";
if (!$relay)
{
	$SIG{PIPE} = 'IGNORE';
	relay($listener, $node->host . '/.s.PGSQL.' . $node->port);
	POSIX::_exit(0);
}
close $listener;

sql(q(SELECT pg_create_physical_replication_slot('standby', true)));
$node->backup('standby');
my $standby = dbmazz::Node->new('standby');
$standby->init_from_backup($node, 'standby', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<~"CONF");
	primary_conninfo = 'host=127.0.0.1 port=$port dbname=postgres sslmode=disable gssencmode=disable'
	primary_slot_name = 'standby'
	hot_standby_feedback = on
	synchronized_standby_slots = ''
	CONF
$standby->start;
$node->append_conf('postgresql.conf', "synchronized_standby_slots = 'standby'\n");
$node->reload;
sql(q(SELECT dbmazz.alter_pipeline('p', settings => '{failover=on}')));
sql(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
$node->run_pipeline('postgres', 'p');

my $load = start_load($node, clients => 2, rate => 20);
wait_until('a lag that stays', sub {
	return sql(q(SELECT flush_lag > '500ms' FROM pg_stat_replication)) eq 't';
});

my $confirmed = q(SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'dbmazz_slot');
for my $round (1 .. 3)
{
	my $now = sql('SELECT pg_current_wal_insert_lsn()');
	my $moved = eval {
		wait_until("the slot at $now", sub { return sql("$confirmed AND confirmed_flush_lsn > '$now'") ne '' });
		1;
	};
	ok($moved, "round $round: the slot moves on while the standby lags");
	diag(sql('TABLE dbmazz.stat_pipeline')) if !$moved;
	my $lsn = sql($confirmed);
	is($standby->safe_psql('postgres', "SELECT pg_last_wal_receive_lsn() >= '$lsn'"), 't', 'the standby has what the slot has passed');
	is(sql(q(SELECT flush_lag > '500ms' FROM pg_stat_replication)), 't', 'and lags as before');
}

stop_load($load);
all_rows_equal($node, $target, 'at the end');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
$standby->stop('immediate');
$node->stop('immediate');
kill 'KILL', $relay;
waitpid $relay, 0;
done_testing();
