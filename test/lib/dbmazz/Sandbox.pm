# Sandbox.pm - a StarRocks sandbox of a test's own
#
#   my $target = dbmazz::Sandbox->new;         # starts it
#   $target->sql('CREATE DATABASE shop');
#   $target->fault(fault => 'fe_delay', seconds => 3, count => 1);
#   $target->kill9; $target->start;            # same ports, same data
#   my $lines = $target->rows('shop', 'orders');
#
# The sandbox is a program of its own: see test/sandbox/README.md for faults,
# the log of loads, and the form of rows.  It is found by DBMAZZ_SANDBOX_PYTHON
# and PYTHONPATH, which test/lib/prove.sh sets.  Methods die when they fail.

package dbmazz::Sandbox;

use strict;
use warnings;

use File::Basename qw(dirname);
use HTTP::Tiny;
use IO::Select;
use IPC::Run ();
use JSON::PP;
use POSIX qw(_exit :sys_wait_h);
use PostgreSQL::Test::Utils ();

my @running;
my $owner = $$;

# new(name => 'sandbox', args => ['--user', 'etl:secret'], ...)
#	Start a sandbox with an empty data directory and free ports.
sub new
{
	my ($class, %params) = @_;
	my $self = bless {
		name => $params{name} // 'sandbox',
		data => PostgreSQL::Test::Utils::tempdir(),
		args => $params{args} // [],
		port => {},
		http => HTTP::Tiny->new(timeout => 120),
	}, $class;
	$self->start;
	return $self;
}

# Start it again after stop or kill9, on the ports it had.
sub start
{
	my ($self) = @_;
	my $python = $ENV{DBMAZZ_SANDBOX_PYTHON}
	  or die 'DBMAZZ_SANDBOX_PYTHON is not set';
	my @command = (
		$python, '-m', 'starrocks_sandbox', '--data', $self->{data},
		(map { ("--$_-port", $self->{port}{$_} // 0) } qw(fe be mysql)),
		@{ $self->{args} });
	my $log = "$PostgreSQL::Test::Utils::log_path/"
	  . PostgreSQL::Test::Utils::basename($0, '.pl') . "_$self->{name}.log";

	die "$self->{name} is running" if $self->{pid};
	pipe(my $reader, my $writer) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if ($pid == 0)
	{
		close $reader;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $writer;
		open STDERR, '>>', $log;
		no warnings 'exec';
		exec @command;
		_exit(127);
	}
	close $writer;
	$self->{pid} = $pid;
	push @running, $self;

	my $ready = '';
	my $select = IO::Select->new($reader);
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	while ($ready !~ /\n/)
	{
		die "$self->{name} did not get ready, see $log"
		  if time > $deadline;
		next unless $select->can_read(1);
		sysread($reader, $ready, 4096, length $ready)
		  or die "$self->{name} ended before it was ready, see $log";
	}
	close $reader;
	$self->{port} = decode_json($ready);
	return;
}

sub fe_port { return $_[0]->{port}{fe} }
sub be_port { return $_[0]->{port}{be} }
sub mysql_port { return $_[0]->{port}{mysql} }
sub url { return 'http://127.0.0.1:' . $_[0]->fe_port }

# End it cleanly, or at once; it can be started again.
sub stop { return $_[0]->_end('TERM') }
sub kill9 { return $_[0]->_end('KILL') }

# Let it hang, with its sockets open, and go on.
sub freeze { kill 'STOP', $_[0]->{pid}; return }
sub thaw { kill 'CONT', $_[0]->{pid}; return }

sub _end
{
	my ($self, $signal) = @_;
	return unless $self->{pid};
	kill 'CONT', $self->{pid};
	kill $signal, $self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	@running = grep { $_ != $self } @running;
	return;
}

# Run statements (each but the last ends with a semicolon and a newline);
# returns rows as psql -At would print them.
sub sql
{
	my ($self, $sql, $database) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run(
		[
			$ENV{DBMAZZ_SANDBOX_PYTHON},
			dirname(__FILE__) . '/../sandbox_sql.py',
			$self->mysql_port, $database // ''
		],
		'<', \$sql, '>', \$out, '2>', \$err)
	  or die "sandbox: $sql: $err";
	chomp $out;
	return $out;
}

# Ask one of the sandbox's own endpoints; returns the decoded answer.
sub ask
{
	my ($self, $method, $path, $body) = @_;
	my $answer = $self->{http}->request($method, $self->url . "/_sandbox/$path",
		defined $body ? { content => encode_json($body) } : {});
	die "sandbox: $method $path: $answer->{status} $answer->{content}"
	  unless $answer->{success};
	return $path =~ /^rows\b/ ? $answer->{content} : decode_json($answer->{content});
}

# Set a fault: fault(fault => 'be_cut', when => 'after_body', count => 2).
sub fault { my ($self, %fault) = @_; return $self->ask(POST => 'faults', \%fault) }

# Clear one kind of fault, or all.
sub clear_faults
{
	my ($self, $fault) = @_;
	return $self->ask(POST => 'faults', { op => 'clear', $fault ? (fault => $fault) : () });
}

# Loads kept by the fault "hold", and letting them go on.
sub held { return @{ $_[0]->ask(GET => 'held')->{held} } }
# Statements kept by the fault "mysql_hold"; release lets them go on too.
sub held_statements { return @{ $_[0]->ask(GET => 'held')->{statements} } }
sub release { my ($self, $label) = @_; return $self->ask(POST => 'release', { label => $label // '' }) }

# The log of attempts to load, the oldest first: loads(table => 'orders').
sub loads
{
	my ($self, %filter) = @_;
	my $query = join '&', map { "$_=" . _escape($filter{$_}) } sort keys %filter;
	return @{ $self->ask(GET => "loads?$query")->{loads} };
}

sub clear_loads { return $_[0]->ask(DELETE => 'loads') }

# All rows in the order of their keys, as lines of JSON.
sub rows
{
	my ($self, $database, $table) = @_;
	my $text = $self->ask(GET => 'rows?db=' . _escape($database) . '&table=' . _escape($table));
	return [ split /\n/, $text ];
}

sub count
{
	my ($self, $database, $table) = @_;
	return $self->ask(GET => 'count?db=' . _escape($database) . '&table=' . _escape($table))->{rows};
}

# Wait until code returns something true, and return it; dies after the time limit of all TAP tests.
sub wait_until
{
	my ($self, $what, $code) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
	my $result;
	until ($result = $code->())
	{
		die "timed out waiting for $what" if time > $deadline;
		select undef, undef, undef, 0.05;
	}
	return $result;
}

sub _escape
{
	my ($text) = @_;
	$text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
	return $text;
}

# None survives the test, however it ends.
END
{
	if ($$ == $owner)
	{
		my $status = $?;
		$_->_end('KILL') for @running;
		$? = $status;
	}
}

1;
