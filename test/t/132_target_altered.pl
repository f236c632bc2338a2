# A target that is altered while rows are on their way: StarRocks takes no notice of
# values for a column that it lacks, and answers with success.  No load counts as
# done before the table was looked at behind it.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text, amount int);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		SQL
	tables => [qw(orders items)],
	settings => [ 'flush_interval=0', 'on_bad_row=dead_letter' ]);

sub alter { $target->sql("ALTER TABLE orders $_[0]", 'shop'); return }

sub held
{
	my ($kind) = @_;
	$target->wait_until("a held $kind", sub { @{ $target->ask(GET => 'held')->{$kind} } });
	return;
}

# Loads of orders that were answered with success since the log was cleared.
sub successes { return grep { $_->{outcome} eq 'Success' } $target->loads(table => 'orders') }

# Begin a load of these rows, and do something while it is kept there: before it is
# planned (fe_hold), or between that and its commit (hold), or behind it (when the
# schema is asked for).
sub meanwhile
{
	my ($fault, $kind, $sql, $action) = @_;
	$target->clear_loads;
	$target->fault(@$fault, count => 1);
	query($node, $sql);
	held($kind);
	$action->();
	$target->clear_faults;
	$target->release;
	return;
}

my @before = (fault => 'fe_hold', table => 'orders');
my @during = (fault => 'hold', table => 'orders');
my @behind = (fault => 'fe_hold', endpoint => 'schema', table => 'orders');

# It must stop, and go on when the column is back.
sub stops
{
	my ($what, $repair, @values) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $why = wait_for_stop($node, 'orders');
	like($why, qr/target table "orders" has no column "amount".*ALTER TABLE `shop`.`orders` ADD COLUMN `amount`/s,
		"$what: the table stops, with the remedy");
	my @loads = successes();
	is(scalar(@loads), 1, 'StarRocks has said nothing');
	is(query($node, <<~'SQL'), 't', 'the slot stays in front of the load');
		SELECT p.confirmed_flush_lsn <= t.lsn FROM dbmazz.stat_pipeline p, dbmazz.stat_table t
		WHERE t.target = 'orders'
		SQL
	query($node, q(INSERT INTO items SELECT coalesce(max(id), 0) + 1, 'goes on' FROM items));
	same_rows($node, $target, 'items');
	alter($repair);
	query($node, q(SELECT dbmazz.retry_batch('shop', 'orders')));
	same_rows($node, $target, 'orders');
	isnt((successes())[-1]{label}, $loads[0]{label}, 'sent again under another label');
	return;
}

query($node, q(INSERT INTO orders SELECT i, 'without an amount' FROM generate_series(1, 20) i;
	INSERT INTO items VALUES (1, 'a')));
same_rows($node, $target, qw(orders items));

# ---- dropped, renamed ---------------------------------------------------------------

# rows with an amount are gone before a column is dropped: what they had is lost
my $next = 100;
sub some { my $i = $next; $next += 10; return "INSERT INTO orders SELECT i, 'x', i FROM generate_series($i, $i + 4) i" }

meanwhile(\@before, 'requests', some(), sub { alter('DROP COLUMN amount') });
stops('dropped before the load', 'ADD COLUMN amount INT');

meanwhile(\@during, 'held', some(), sub { alter('RENAME COLUMN amount TO sum') });
stops('renamed during the load', 'RENAME COLUMN sum TO amount');

query($node, 'UPDATE orders SET amount = NULL');
same_rows($node, $target, 'orders');
meanwhile(\@during, 'held', some(), sub { alter('DROP COLUMN amount') });
stops('dropped during the load', 'ADD COLUMN amount INT');

query($node, 'UPDATE orders SET amount = NULL');
same_rows($node, $target, 'orders');
meanwhile(\@behind, 'requests', some(), sub { alter('DROP COLUMN amount') });
stops('dropped right behind the load', 'ADD COLUMN amount INT');

# ---- there again before anybody has looked --------------------------------------------

query($node, 'UPDATE orders SET amount = NULL');
same_rows($node, $target, 'orders');
meanwhile(\@during, 'held', some(), sub { alter('DROP COLUMN amount'); alter('ADD COLUMN amount INT') });
same_rows($node, $target, 'orders');
is(scalar(successes()), 2, 'a column that is there again: the load is repeated');

query($node, 'DELETE FROM orders');
same_rows($node, $target, 'orders');
meanwhile(\@behind, 'requests', some(), sub {
	$target->sql('DROP TABLE orders', 'shop');
	$node->create_target('postgres', 'orders', $target, 'shop');
});
same_rows($node, $target, 'orders');
is(scalar(successes()), 2, 'a table that was made anew: the same');
is(stopped_tables($node), '', 'nothing has stopped');
like(slurp_file($node->logfile), qr/target table "orders" was altered while rows were sent to it/, 'the log tells');

# ---- nobody can look -------------------------------------------------------------------

query($node, 'UPDATE orders SET amount = NULL');
same_rows($node, $target, 'orders');
$target->clear_loads;
$target->fault(@during, count => 1);
query($node, some());
held('held');
$target->fault(fault => 'fe_status', endpoint => 'schema', table => 'orders', status => 503, body => 'x');
$target->release;
my $retries = query($node, 'SELECT retries FROM dbmazz.stat_pipeline');
$node->poll_query_until('postgres', "SELECT retries > $retries + 10 FROM dbmazz.stat_pipeline")
  or die 'it does not try again';
is(scalar(successes()), 1, 'the load is there');
is(query($node, 'SELECT state FROM dbmazz.stat_pipeline'), 'retrying', 'and not done');
$target->clear_faults;
same_rows($node, $target, 'orders');
is(scalar(successes()), 1, 'looked at, it is done');

# ---- the process dies before it has looked ---------------------------------------------

query($node, 'UPDATE orders SET amount = NULL');
same_rows($node, $target, 'orders');
meanwhile(\@behind, 'requests', some(), sub {
	is(scalar(successes()), 1, 'the load is there');
	$node->stop('immediate');
	alter('DROP COLUMN amount');
});
$node->start;
stops('dropped while the server was down', 'ADD COLUMN amount INT');

# ---- dead letters that are sent again ---------------------------------------------------

query($node, 'UPDATE orders SET amount = NULL');
same_rows($node, $target, 'orders');
$target->fault(fault => 'reject_rows', table => 'orders', where => 'amount = 7');
query($node, q(INSERT INTO orders VALUES (7000, 'bad', 7)));
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM dbmazz.dead_letters') or die 'no dead letter';
$target->clear_faults;
meanwhile(\@during, 'held', q(SELECT dbmazz.replay_dead_letters('shop')), sub { alter('RENAME COLUMN amount TO sum') });
$target->wait_until('the replay to end', sub { query($node, 'SELECT count(*) FROM dbmazz.replay_request') eq '0' });
is(query($node, 'SELECT count(*) FROM dbmazz.dead_letters'), 1, 'a replay into a table without the column: the letter stays');
alter('RENAME COLUMN sum TO amount');
query($node, some());
arrived($node);
query($node, q(SELECT dbmazz.replay_dead_letters('shop')));
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.dead_letters') or die 'not replayed';
same_rows($node, $target, 'orders');

$node->stop;
done_testing();
