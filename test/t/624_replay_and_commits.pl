# Which commits a replay of dead letters waits for: those that the letters can be
# of, and no others.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE notes (id int PRIMARY KEY, note text);
		CREATE TABLE other (id int);
		SQL
	publication => 'TABLE notes',
	conf => "dbmazz.debug_point = ''\nsynchronous_standby_names = ''\n",
	settings => ['flush_interval=0', 'on_bad_row=dead_letter']);
my $breaks = 0;

sub set_conf
{
	my ($name, $value) = @_;
	my $start = -s $node->logfile;
	$node->adjust_conf('postgresql.conf', $name, "'$value'");
	$node->reload;
	$target->wait_until('a reload', sub { slurp_file($node->logfile, $start) =~ /parameter "$name" changed/ });
	return;
}

sub set_break
{
	my ($point) = @_;
	set_conf('dbmazz.debug_point', $point ? "$point:" . ++$breaks : '');
	return;
}

sub wait_for_log
{
	my ($pattern, $start) = @_;
	$target->wait_until($pattern, sub { slurp_file($node->logfile, $start) =~ $pattern });
	return;
}

# A session that commits, and then waits for a standby that is not there.
sub commit_and_wait
{
	my ($sql) = @_;
	my $session = $node->background_psql('postgres');
	my $waiting = q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep');
	my $before = query($node, $waiting);

	$session->query_until(qr/begun/, "\\echo begun\n$sql;\n");
	$node->poll_query_until('postgres', "SELECT ($waiting) > $before") or die 'nobody waits for the standby';
	return $session;
}

# Without waiting for a standby.
sub locally
{
	my ($sql) = @_;
	return query($node, "SET synchronous_commit = local; $sql");
}

sub replayed
{
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.replay_request')
	  or die 'no replay';
	return;
}

sub letters
{
	return query($node, 'SELECT count(*) FROM dbmazz.dead_letters');
}

sub widen
{
	my ($width) = @_;
	$target->sql("ALTER TABLE notes MODIFY COLUMN note VARCHAR($width)", 'shop');
	return;
}

$target->sql(<<~'SQL', 'shop');
	CREATE TABLE notes (id INT NOT NULL, note VARCHAR(10) NULL)
	PRIMARY KEY (id) DISTRIBUTED BY HASH (id)
	SQL

# ---- a transaction that waits since the replay has begun ------------------------------------

query($node, q(INSERT INTO notes SELECT g, repeat('x', 11) FROM generate_series(1, 3) g));
arrived($node);
is(letters(), 3, 'three keys are dead');
widen(20);
set_break('rows_read:wait');
my $start = -s $node->logfile;
query($node, q(SELECT dbmazz.replay_dead_letters('shop')));
wait_for_log(qr/debug point "rows_read" was reached/, $start);
set_conf('synchronous_standby_names', 'absent');
my $session = commit_and_wait('INSERT INTO other VALUES (1)');
locally('INSERT INTO other VALUES (2)');
set_break('');
replayed();
is(letters(), 0, 'a commit that the letters cannot be of is not waited for');
set_conf('synchronous_standby_names', '');
$session->quit;
same_rows($node, $target, 'notes');

# ---- a transaction with a dead row that is not visible yet -----------------------------------

set_conf('synchronous_standby_names', 'absent');
$session = commit_and_wait(q(INSERT INTO notes VALUES (10, repeat('x', 21))));
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM dbmazz.dead_letters') or die 'no letter';
is(query($node, q(SELECT count(*) FROM notes WHERE id = 10)), 0, 'the row is not visible, and its key is dead');
widen(30);
$start = -s $node->logfile;
locally(q(SELECT dbmazz.replay_dead_letters('shop')));
wait_for_log(qr/replay of dead letters of target table notes waits for transactions that have committed/, $start);
is(letters(), 1, 'its replay waits, and the log tells');
like(query($node, q(SELECT replay_waits_for FROM dbmazz.stat_table WHERE replay_requested_at < now())),
	qr/^transactions that have committed, but are not visible$/, 'so does the view');
is(query($node, q(SELECT query FROM pg_stat_activity WHERE pid = (SELECT shipper_pid FROM dbmazz.stat_pipeline))),
	'shop: a replay of dead letters waits', 'and pg_stat_activity');
locally(q(INSERT INTO notes VALUES (11, 'passes')));
is(query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_flush_lsn(), '20s'))), 't', 'other changes of the table pass it');
like(join(' ', @{ $target->rows('shop', 'notes') }), qr/passes/, 'and are in the target');
my $stop_at = [Time::HiRes::gettimeofday()];
locally(q(SELECT dbmazz.stop_pipeline('shop')));
$node->wait_for_state('postgres', 'shop', 'stopped');
cmp_ok(Time::HiRes::tv_interval($stop_at), '<', 5, 'it does not keep the pipeline from stopping');
locally(q(SELECT dbmazz.start_pipeline('shop')));
$node->wait_for_state('postgres', 'shop', 'streaming');
is(letters(), 1, 'the replay waits again');
set_conf('synchronous_standby_names', '');
replayed();
is(letters(), 0, 'it goes on when the row is visible');
$session->quit;
same_rows($node, $target, 'notes');

# ---- sessions that commit all the time -------------------------------------------------------------

query($node, q(INSERT INTO notes SELECT g, repeat('x', 31) FROM generate_series(20, 29) g));
arrived($node);
is(letters(), 10, 'ten keys are dead');
widen(40);
my $script = $node->basedir . '/commits.sql';
append_to_file($script, "INSERT INTO other VALUES (3);\n");
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '8', '-T', $PostgreSQL::Test::Utils::timeout_default,
		'-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', '/dev/null', '2>', '/dev/null');
$node->poll_query_until('postgres', 'SELECT count(*) > 100 FROM other') or die 'no load';
query($node, q(SELECT dbmazz.replay_dead_letters('shop')));
replayed();
is(letters(), 0, 'they do not keep a replay from being done');
$load->kill_kill;
same_rows($node, $target, 'notes');

# ---- at every moment somebody waits for a while, and batches come all the time -----------------------

query($node, q(INSERT INTO notes SELECT g, repeat('x', 41) FROM generate_series(40, 44) g));
query($node, q(INSERT INTO notes SELECT g, 'busy' FROM generate_series(100, 107) g));
arrived($node);
is(letters(), 5, 'five keys are dead');
widen(50);
set_conf('synchronous_standby_names', 'absent');
$session = commit_and_wait('INSERT INTO other VALUES (4)');
locally(q(SELECT dbmazz.replay_dead_letters('shop')));
$node->poll_query_until('postgres', q(SELECT replay_waits_for ~ '^transactions' FROM dbmazz.stat_table WHERE target = 'notes'))
  or die 'the replay does not wait';
$script = $node->basedir . '/waits.sql';
append_to_file($script, "UPDATE notes SET note = now()::text WHERE id = 100 + :client_id;\n");
$load = IPC::Run::start([ 'pgbench', '-n', '-c', '8', '-T', $PostgreSQL::Test::Utils::timeout_default,
		'-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', '/dev/null', '2>', '/dev/null');
$node->poll_query_until('postgres', q(SELECT count(*) >= 9 FROM pg_stat_activity WHERE wait_event = 'SyncRep')) or die 'no load';

# Let some go that wait, those first that have waited longest.
sub let_go
{
	my ($n, $what) = @_;
	return query($node, <<~"SQL");
		SELECT count(pg_cancel_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
			WHERE wait_event = 'SyncRep' AND query LIKE '$what%' ORDER BY query_start LIMIT $n) w
		SQL
}

# when these have passed the replay it begins anew, and there are always others
$target->wait_until('batches', sub { let_go(4, 'UPDATE'); return join('', @{ $target->rows('shop', 'notes') }) !~ /busy/ });
let_go(1, 'INSERT');
$target->wait_until('the replay', sub { let_go(4, 'UPDATE'); return query($node, 'SELECT count(*) FROM dbmazz.replay_request') == 0 });
is(letters(), 0, 'a replay is done all the same');
set_conf('synchronous_standby_names', '');
$load->kill_kill;
$session->quit;
same_rows($node, $target, 'notes');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminating any other/, 'the server was not harmed');
$node->stop;
done_testing();
