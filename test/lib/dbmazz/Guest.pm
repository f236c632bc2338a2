# Guest.pm - is dbmazz a good guest of the server in a certain state?
#
#   use dbmazz::Guest;
#   guest_in($node, 'a frozen target', sub { ... });    # the code brings it about
#   $node->start;                                       # guest_in has stopped the server
#
# In the state it looks at each process of dbmazz: does it answer interrupts, does
# it serve the barrier that DROP DATABASE waits for, does it hold back vacuum?  Then
# it stops the server in the way that pg_ctl's mode "fast" does, and measures how long
# the processes and the server take.  All figures are in the output.
#
# The limit for our processes, one second, is much more than they need (some
# hundredths), for tests run side by side on few cores.  The server's own end and DROP
# DATABASE have a checkpoint in them, which waits for the disk; so they get more.

package dbmazz::Guest;

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils ();
use Test::More;
use Time::HiRes qw(time);

use dbmazz::Load;

our @EXPORT = qw(guest_in answers_quickly stops_quickly black_hole silent_listener);

my $most = 1;
my $most_with_checkpoint = 3;
my $count = 0;

# pid => 'decoder', ... of all processes of ours
sub _processes
{
	my ($node) = @_;
	return map { split /\|/ } split /\n/, $node->safe_psql('postgres', <<~'SQL');
		SELECT pid, substr(backend_type, 8) FROM pg_stat_activity WHERE backend_type LIKE 'dbmazz %'
		SQL
}

# Poll more often than wait_until does; returns the seconds, or nothing.
sub _seconds_until
{
	my ($begin, $code) = @_;
	until ($code->())
	{
		return if time > $begin + 30;
		pause(0.002);
	}
	return time - $begin;
}

sub _quick
{
	my ($name, $seconds, $limit) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	return cmp_ok($seconds // 'inf', '<', $limit, sprintf '%s (%.3f s)', $name, $seconds // 'inf');
}

# Bring about a state, look, and stop the server.  Options: may_have_xmin => 1 (in
# it a process waits for a lock inside a transaction).
sub guest_in
{
	my ($node, $state, $code, %options) = @_;
	return subtest $state => sub {
		$code->();
		answers_quickly($node, %options);
		stops_quickly($node);
	};
}

# Interrupts, barriers and snapshots, while the server runs.
sub answers_quickly
{
	my ($node, %options) = @_;
	my %role = _processes($node);
	my $name = 'guest' . ++$count;

	my $held = q(SELECT string_agg(backend_type || ' ' || concat_ws(' ', backend_xmin, backend_xid), ', ')
		FROM pg_stat_activity WHERE backend_type LIKE 'dbmazz %'
			AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL));
	# a short transaction may be under way at the moment
	my $none = $options{may_have_xmin} || _seconds_until(time, sub { $node->safe_psql('postgres', $held) eq '' });
	ok($none, 'vacuum is not held back') || diag($node->safe_psql('postgres', $held));

	# The server answers this request at the same place as all other interrupts.
	for my $pid (sort { $a <=> $b } keys %role)
	{
		my $start = -s $node->logfile;
		my $begin = time;
		$node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($pid)");
		_quick("the $role{$pid} answers interrupts", _seconds_until($begin, sub {
			PostgreSQL::Test::Utils::slurp_file($node->logfile, $start) =~ /contexts of PID $pid\b/;
		}), $most);
	}

	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	my $begin = time;
	my ($status, undef, $error) = $node->psql('postgres', "DROP DATABASE $name", timeout => 60);
	my $seconds = time - $begin;
	is($error, '', 'another database can be dropped');
	return _quick('and at once', $seconds, $most_with_checkpoint);
}

# Stop the server, and look when its processes leave.
sub stops_quickly
{
	my ($node) = @_;
	my %role = _processes($node);
	my $postmaster = $node->{_pid};
	my (%gone, $begin);

	ok(%role, join ' ', 'there are:', sort values %role);
	$begin = time;
	kill 'INT', $postmaster;
	my $seconds = _seconds_until($begin, sub {
		for my $pid (grep { !$gone{$_} && !kill 0, $_ } keys %role)
		{
			$gone{$pid} = time - $begin;
		}
		return !kill 0, $postmaster;
	});
	if (!defined $seconds)
	{
		fail('the server has stopped');
		$node->stop('immediate');
		return;
	}
	$node->{_pid} = undef;
	_quick("the $role{$_} is gone", $gone{$_} // $seconds, $most) for sort { $a <=> $b } keys %role;
	return _quick('the server is gone', $seconds, $most_with_checkpoint);
}

# ---- addresses that nobody answers at ------------------------------------------------

# A listener whose queue is full takes no connection: the last ones hang.  Returns
# its port, and the sockets to keep.
sub black_hole
{
	my $hole = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
	my @fill;
	for (1 .. 8)
	{
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $hole->sockport,
			Proto => 'tcp', Timeout => 0.5) or last;
		push @fill, $socket;
	}
	die 'the black hole takes more connections' if @fill == 8;
	return ($hole->sockport, $hole, @fill);
}

# One that takes connections and says no more than a greeting.  Returns the port, and
# code that waits until somebody has connected, and, if there is a greeting, has
# answered it; or sent something by itself, if 'sends' is set.
sub silent_listener
{
	my (%options) = @_;
	my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp')
	  or die "listen: $!";
	my $greeting = $options{greeting} // '';
	my @peers;
	return (
		$listener->sockport,
		sub {
			my $select = IO::Select->new($listener);
			die 'nobody has connected' unless $select->can_read($PostgreSQL::Test::Utils::timeout_default);
			my $peer = $listener->accept or die "accept: $!";
			push @peers, $peer;
			syswrite $peer, $greeting if $greeting ne '';
			return unless $greeting ne '' || $options{sends};
			die 'nothing was said' unless IO::Select->new($peer)->can_read($PostgreSQL::Test::Utils::timeout_default);
			return;
		});
}

1;
