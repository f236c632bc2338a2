# delivery = exactly_once: what is refused, lost answers of every call, and loads
# that the target aborts.

use strict;
use warnings;

use HTTP::Tiny;
use Test::More;

use dbmazz::Load;
use dbmazz::Once;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = once_node($target);

sub query { return $node->safe_psql('postgres', $_[0]) }

each_row_once($node, $target, 'at first');
is(scalar(grep { $_->{call} eq 'commit' && $_->{outcome} eq 'OK' } calls_of($target)) > 0, 1, 'loads are committed');
is(scalar($target->loads(stage => 'be')), 0, 'none without a transaction');

# ---- broken calls --------------------------------------------------------------------

for my $call (qw(begin load prepare commit))
{
	for my $fault (
		[ fault => 'txn_cut', when => 'before' ],
		[ fault => 'txn_cut', when => 'after' ],
		[ fault => 'txn_status', when => 'before' ],
		[ fault => 'txn_garbage', when => 'after' ],
		[ fault => 'txn_fail' ],
		$call eq 'load' ? [ fault => 'txn_cut', when => 'during' ] : ())
	{
		my %fault = (@$fault, call => $call, count => 2);
		$target->fault(%fault);
		churn($node, 3);
		each_row_once($node, $target, "after $call: " . join ' ', @$fault[ 1 .. $#$fault ]);
	}
}
for my $fault ([ fault => 'publish_timeout', seconds => 1 ], [ fault => 'be_restart' ],
	[ fault => 'fe_follower', endpoint => 'transaction' ])
{
	$target->fault(@$fault, count => 3);
	churn($node, 3);
	each_row_once($node, $target, "after $fault->[1]");
}
is(query(q(SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped')), 0, 'no table has stopped');

# ---- bad rows, TRUNCATE, tables that change ------------------------------------------

sub txns { return @{ $target->ask(GET => 'txns?db=shop')->{txns} } }

sub post_as_root
{
	my ($path, %headers) = @_;
	my $answer = HTTP::Tiny->new->post('http://root:@127.0.0.1:' . $target->fe_port . $path,
		{ headers => \%headers });
	return $answer->{content};
}

query(q(ALTER TABLE events ADD extra int));
$target->sql('ALTER TABLE events ADD COLUMN extra INT', 'shop');
query(q(ALTER TABLE events RENAME TO events_old; CREATE TABLE events (LIKE events_old INCLUDING ALL);
	ALTER TABLE events REPLICA IDENTITY FULL; ALTER PUBLICATION dbmazz_pub ADD TABLE events;
	ALTER PUBLICATION dbmazz_pub DROP TABLE events_old;
	WITH gone AS (SELECT * FROM events_old) INSERT INTO events SELECT id + 1000000, note, extra FROM gone));
$node->stop('immediate');
$node->start;
$node->wait_for_target('postgres', 'p');
is(query('SELECT count(*) FROM events'),
	scalar(grep { /"id": ?1\d{6},/ } @{ $target->rows('shop', 'events') }), 'another table of the name');

# ---- a label that the target has forgotten -------------------------------------------

$target->sql('TRUNCATE TABLE events', 'shop');
query(q(BEGIN; ALTER PUBLICATION dbmazz_pub DROP TABLE events; DELETE FROM events; ALTER PUBLICATION dbmazz_pub ADD TABLE events; COMMIT));
each_row_once($node, $target, 'of none');
$target->fault(fault => 'label_retention', max_num => 0);
$target->fault(fault => 'txn_cut', call => 'commit', when => 'after', count => 1);
churn($node, 1);
each_row_once($node, $target, 'after a label was forgotten within the hold time');
$target->clear_faults;

# a commit that does not come about, and whose label is forgotten long after
leave_prepared($node, $target);
my ($ret, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.alter_pipeline('p',
	settings => '{starrocks_database=other}')));
like($err, qr/cannot change the destination of pipeline "p" while a load into target table "events" may be unfinished/,
	'the destination stays');
like($err, qr/HINT:  Start the pipeline as it was/, 'with a hint');
query(q(UPDATE dbmazz.pipeline_tables SET prepared_at = prepared_at - interval '13 hours'));
post_as_root('/api/transaction/rollback', db => 'shop', label => $_->{label})
  for grep { $_->{state} eq 'PREPARED' && $_->{table} eq 'events' } txns();
$target->fault(fault => 'label_retention', max_num => 0);
query(q(SELECT dbmazz.start_pipeline('p')));
wait_until('the table to stop', sub {
	query(q(SELECT count(*) FROM dbmazz.stat_table WHERE target = 'events' AND state = 'stopped')) eq '1';
});
like(query(q(SELECT concat_ws(' ', error, detail, hint) FROM dbmazz.stat_table WHERE target = 'events')),
	qr/it is not known whether a prepared load into "events" was committed .*load the table anew/s, 'nobody knows');
$target->clear_faults;

# ---- back to at_least_once -----------------------------------------------------------

query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
query(q(UPDATE dbmazz.pipeline_tables SET prepared_at = now() WHERE target = 'events'));
$target->fault(fault => 'txn_fail', call => 'begin');
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{delivery=at_least_once}')));
query(q(SELECT dbmazz.start_pipeline('p')));
churn($node, 3);
$node->wait_for_target('postgres', 'p');
cmp_ok(scalar($target->loads(stage => 'be')), '>', 0, 'loads without transactions');
$target->clear_faults;

# ---- what is refused -----------------------------------------------------------------

for my $case (
	[ q(SELECT dbmazz.create_pipeline('n', slot => 'n', sink => 'null', copy => false)),
		qr/sink "null" cannot deliver exactly once/ ],
	[ q(SELECT dbmazz.create_pipeline('n', slot => 'n', copy => false, settings => '{starrocks_format=csv}')),
		qr/delivery=exactly_once does not go with rows as csv/ ])
{
	my ($sql, $message) = @$case;
	($ret, $out, $err) = $node->psql('postgres', $sql);
	like($err, $message, 'refused');
	like($err, qr/HINT:  Set .*delivery=at_least_once for the pipeline/, 'with a hint');
}
query(q(SELECT dbmazz.create_pipeline('n', slot => 'n', sink => 'null', copy => false,
	settings => '{delivery=at_least_once}')));
query(q(SELECT dbmazz.start_pipeline('n')));
$node->wait_for_state('postgres', 'n', 'streaming');
query(q(SELECT dbmazz.stop_pipeline('n')));
$node->wait_for_state('postgres', 'n', 'stopped');
($ret, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.alter_pipeline('n', settings => '{delivery=exactly_once}')));
like($err, qr/sink "null" cannot deliver exactly once/, 'nor later');

$node->stop;
done_testing();
