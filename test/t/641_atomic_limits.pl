# atomic = transaction: what it does not go with, bad rows, and transactions that
# cannot be sent as a whole.

use strict;
use warnings;

use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Bank;
use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = bank_node($target, conf => "dbmazz.pipeline_buffer_size = 1MB\n"
	  . "dbmazz.starrocks_mysql_address = '127.0.0.1:" . $target->mysql_port . "'\n");

sub query { return $node->safe_psql('postgres', $_[0]) }
sub last_error
{
	return query(q(SELECT concat_ws(' ', last_error, last_error_detail, last_error_hint)
		FROM dbmazz.stat_pipeline WHERE name = 'p'));
}
sub cuts { return scalar(() = slurp_file($node->logfile) =~ /a transaction is not sent as a whole/g) }
sub commits { return scalar grep { $_->{call} eq 'commit' && $_->{outcome} eq 'OK' } $target->loads(stage => 'txn') }
sub settings
{
	my ($settings) = @_;
	query("SELECT dbmazz.alter_pipeline('p', settings => '{$settings}')");
	return;
}

# ---- what is refused -------------------------------------------------------------------

for my $case (
	[ 'delivery=exactly_once', qr/atomic=transaction does not go with delivery=exactly_once/, qr/Set atomic=none or/ ],
	[ 'starrocks_format=csv', qr/atomic=transaction does not go with rows as csv/, qr/Set the option "format"/ ])
{
	my ($setting, $message, $hint) = @$case;
	my ($ret, $out, $err) = $node->psql('postgres',
		"SELECT dbmazz.create_pipeline('n', slot => 'n', copy => false, settings => '{$setting}')");
	like($err, $message, "$setting is refused");
	like($err, $hint, 'with a hint');
}
{
	my ($ret, $out, $err) = $node->psql('postgres',
		q(SELECT dbmazz.create_pipeline('n', slot => 'n', sink => 'null', copy => false)));
	like($err, qr/sink "null" cannot load several tables at once/, 'the sink null is refused');
	like($err, qr/HINT:  Set atomic=none for the pipeline/, 'with a hint');
}

# ---- a server that is too old ------------------------------------------------------------

$target->fault(fault => 'no_multi');
query('BEGIN; UPDATE bank_left SET n = n - 1 WHERE id = 1; UPDATE bank_right SET n = n + 1 WHERE id = 1; COMMIT');
$node->wait_for_state('postgres', 'p', 'failed');
like(last_error(), qr/StarRocks has no transactions of several tables.*needs StarRocks 4\.0 or later/s, 'it says what is missing');
is($target->ask(GET => 'loads?stage=be')->{loads}[0], undef, 'and has sent nothing');
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{atomic=none}')));
$node->run_pipeline('postgres', 'p');
same_bank($node, $target, 'with atomic = none');
$target->clear_faults;
query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
settings('atomic=transaction');
$node->run_pipeline('postgres', 'p');

# ---- bad rows leave, and the rest comes at once ---------------------------------------------

# As one statement sees them: rows of the tables from this number on.
sub seen
{
	my ($from) = @_;
	my $answer = HTTP::Tiny->new->post($target->url . '/_sandbox/sql?db=shop', { content =>
		"SELECT (SELECT count(*) FROM bank_left WHERE id >= $from), (SELECT count(*) FROM bank_right WHERE id >= $from)" });
	return join ' ', @{ decode_json($answer->{content})->{rows}[0] };
}

settings('on_bad_row=dead_letter');
$target->fault(fault => 'reject_rows', table => '^bank_right$', where => 'id IN (1003, 1017)');
my $before = commits();
query(q(BEGIN; INSERT INTO bank_left SELECT g, 0, 'x' FROM generate_series(1001, 1020) g;
	INSERT INTO bank_right SELECT g, 0 FROM generate_series(1001, 1020) g; COMMIT));
wait_until('the rows that are good', sub { my $now = seen(1001); die "a part is seen: $now" if $now !~ /^(0 0|20 18)$/; $now eq '20 18' });
$node->wait_for_target('postgres', 'p');
is(commits() - $before, 1, 'by one commit');
is(query(q(SELECT string_agg(target || ' ' || key, ', ' ORDER BY key::text) FROM dbmazz.dead_letters)),
	'bank_right {"id":1003}, bank_right {"id":1017}', 'the bad ones are kept');
is(scalar(grep { $_->{state} eq 'PREPARED' } @{ $target->ask(GET => 'txns?db=shop')->{txns} }), 0, 'no probe is left');

# of a group of one table, too
$before = commits();
$target->fault(fault => 'reject_rows', table => '^bank_left$', where => 'id = 2005');
query(q(INSERT INTO bank_left SELECT g, 0, 'x' FROM generate_series(2001, 2020) g));
wait_until('the rows that are good', sub { my $now = seen(2001); die "a part is seen: $now" if $now !~ /^(0|19) 0$/; $now eq '19 0' });
$node->wait_for_target('postgres', 'p');
is(query(q(SELECT count(*) FROM dbmazz.dead_letters)), 3, 'its bad one is kept');
$target->clear_faults;

# and one that is found before anything is sent
query(q(BEGIN; INSERT INTO bank_left VALUES (2101, 0, 'x'); INSERT INTO moves (amount, day) VALUES (0, 'infinity');
	INSERT INTO bank_right VALUES (2101, 0); COMMIT));
wait_until('the rows that are good', sub { my $now = seen(2101); die "a part is seen: $now" if $now !~ /^(0 0|1 1)$/; $now eq '1 1' });
$node->wait_for_target('postgres', 'p');
is(query(q(SELECT count(*) FROM dbmazz.dead_letters WHERE target = 'moves')), 1, 'the value is kept');
query(q(DELETE FROM moves WHERE day = 'infinity'));
query(q(SELECT dbmazz.replay_dead_letters('p')));
wait_until('the letters to go', sub { query('SELECT count(*) FROM dbmazz.dead_letters') eq '0' });
same_bank($node, $target, 'after a replay');

# ---- or the pipeline waits ------------------------------------------------------------------

settings('on_bad_row=stop');
$target->fault(fault => 'reject_rows', table => '^bank_right$', where => 'id = 3003');
query(q(BEGIN; INSERT INTO bank_left SELECT g, 0, 'x' FROM generate_series(3001, 3020) g;
	INSERT INTO bank_right SELECT g, 0 FROM generate_series(3001, 3020) g; COMMIT));
$node->wait_for_state('postgres', 'p', 'failed');
like(last_error(), qr/target table "bank_right" has stopped, and atomic=transaction sends nothing without it/, 'the pipeline fails');
is(seen(3001), '0 0', 'and nothing of the transaction is seen');
query(q(SELECT dbmazz.start_pipeline('p')));
wait_until('a word on it', sub { query(q(SELECT state FROM dbmazz.stat_pipeline WHERE name = 'p')) eq 'streaming' });
$node->wait_for_state('postgres', 'p', 'failed');
is(seen(3001), '0 0', 'nor after another start');
query(q(SELECT dbmazz.skip_batch('p', 'bank_right', (SELECT row_lsn::text FROM dbmazz.stat_table WHERE target = 'bank_right'))));
wait_until('the other rows', sub { my $now = seen(3001); die "a part is seen: $now" if $now !~ /^(0 0|20 19)$/; $now eq '20 19' });
$target->clear_faults;
query(q(DELETE FROM bank_right WHERE id = 3003));
same_bank($node, $target, 'after a row was skipped');

# a value that the target cannot hold is found in the middle of a transaction
query(q(BEGIN; INSERT INTO bank_left VALUES (4001, 0, 'x'); INSERT INTO moves (amount, day) VALUES (0, 'infinity');
	INSERT INTO bank_right VALUES (4001, 0); COMMIT));
$node->wait_for_state('postgres', 'p', 'failed');
like(last_error(), qr/target table "moves" has stopped, and atomic=transaction/, 'the pipeline fails');
is(seen(4001), '0 0', 'and nothing of the transaction is seen');
query(q(SELECT dbmazz.skip_batch('p', 'moves', (SELECT row_lsn::text FROM dbmazz.stat_table WHERE target = 'moves'))));
wait_until('the other rows', sub { my $now = seen(4001); die "a part is seen: $now" if $now !~ /^(0 0|1 1)$/; $now eq '1 1' });
query(q(DELETE FROM moves WHERE day = 'infinity'));
same_bank($node, $target, 'after a value was skipped');

# a column that the target does not have is found before anything of the group is sent
query(q(ALTER TABLE bank_right ADD extra int));
query(q(BEGIN; INSERT INTO bank_left VALUES (4101, 0, 'x'); INSERT INTO bank_right VALUES (4101, 0, 5); COMMIT));
$node->wait_for_state('postgres', 'p', 'failed');
like(query(q(SELECT concat_ws(' ', error, hint) FROM dbmazz.stat_table WHERE target = 'bank_right' AND state = 'stopped')),
	qr/extra/, 'the table says what is missing');
is(seen(4101), '0 0', 'and nothing of the transaction is seen');
$target->sql('ALTER TABLE bank_right ADD COLUMN extra INT', 'shop');
query(q(SELECT dbmazz.retry_batch('p')));
wait_until('the rows', sub { my $now = seen(4101); die "a part is seen: $now" if $now !~ /^(0 0|1 1)$/; $now eq '1 1' });
same_bank($node, $target, 'after a column was added');

# ---- transactions that are cut ---------------------------------------------------------------

is(cuts(), 0, 'none so far');
query(q(BEGIN; INSERT INTO moves (amount) SELECT 0 FROM generate_series(1, 60000);
	UPDATE bank_left SET n = n - 1 WHERE id = 1; UPDATE bank_right SET n = n + 1 WHERE id = 1; COMMIT));
same_bank($node, $target, 'after one that is larger than the buffer');
is(cuts(), 1, 'the log says that it was cut');
like(slurp_file($node->logfile), qr/the reason: it does not fit into the pipeline's buffer/, 'and why');
# words are at least ten seconds apart, but for another life
my $epoch = epoch_of($node);
query('SELECT pg_terminate_backend(' . $node->worker_pid('decoder') . ')');
wait_for_workers($node, $epoch);
query(q(BEGIN; INSERT INTO bank_right SELECT 5000, 1; TRUNCATE moves; INSERT INTO moves (amount) VALUES (7); COMMIT));
same_bank($node, $target, 'after a TRUNCATE');
is(cuts(), 2, 'the log says that it was cut');
like(slurp_file($node->logfile), qr/the reason: a TRUNCATE stands alone/, 'and why');

# rows that are read again are no part of a load of several tables
with_large_values($node);
same_bank($node, $target, 'with large values');
$epoch = epoch_of($node);
query('SELECT pg_terminate_backend(' . $node->worker_pid('decoder') . ')');
wait_for_workers($node, $epoch);
query(q(BEGIN; UPDATE bank_left SET id = id + 6000 WHERE id = 2; UPDATE bank_right SET n = n - 1 WHERE id = 1; COMMIT));
query(q(BEGIN; UPDATE bank_right SET n = n + 1 WHERE id = 1; UPDATE bank_left SET id = id + 6000 WHERE id IN (4, 6);
	UPDATE bank_right SET n = n - 1 WHERE id = 2; INSERT INTO moves (amount) VALUES (0); COMMIT));
same_bank($node, $target, 'after changes of keys with unchanged values');
is(query(q(SELECT count(*) FROM bank_left WHERE id > 6000 AND length(note) = 5000)), 3, 'with their large values');
is(cuts(), 3, 'the log says that it was cut');
like(slurp_file($node->logfile), qr/the reason: rows are read again/, 'and why');
is(query(q(SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped')), 0, 'no table has stopped');

# ---- a group that is given up is not left open at the target ------------------------------------

sub txns { my ($state) = @_; return scalar grep { $_->{state} eq $state } @{ $target->ask(GET => 'txns?db=shop')->{txns} } }
my $aborted = txns('ABORTED');
$target->fault(fault => 'fe_location', location => 'ftp://127.0.0.1/', count => 1);
query(q(BEGIN; UPDATE bank_left SET n = n - 1 WHERE id = 1; UPDATE bank_right SET n = n + 1 WHERE id = 1; COMMIT));
same_bank($node, $target, 'after a redirect that leads nowhere');
like(slurp_file($node->logfile), qr/redirect of the StarRocks frontend is not usable/, 'as the log says');
is(txns('PREPARE'), 0, 'no transaction is left open');
is(txns('ABORTED') - $aborted, 1, 'the first one was rolled back');

# ---- a life waits for the end of an earlier one's labels, whatever the server says ---------------

$target->fault(fault => 'txn_fail', call => 'rollback', count => 2);
$epoch = epoch_of($node);
query('SELECT pg_terminate_backend(' . $node->worker_pid('decoder') . ')');
wait_for_workers($node, $epoch);
query(q(INSERT INTO bank_right VALUES (7001, 0)));
same_bank($node, $target, 'when the labels have come to their end');
is(scalar(@{ $target->ask(GET => 'faults')->{faults} }), 0, 'after two answers that said nothing of it');
like(slurp_file($node->logfile), qr/StarRocks has not yet ended an earlier load/, 'as the log says');
$node->wait_for_state('postgres', 'p', 'streaming');

# ---- the end of a group that was not sent does not hold the pipeline at its targets --------------

$target->fault(fault => 'txn_fail', call => 'begin');
query(q(BEGIN; INSERT INTO bank_left VALUES (8001, 0, 'x'); INSERT INTO bank_right VALUES (8001, 0); COMMIT));
$node->wait_for_state('postgres', 'p', 'retrying');
query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
settings('"table_name_template={schema}_{table}"');
like(query(q(SELECT settings FROM dbmazz.pipelines WHERE name = 'p')), qr/table_name_template/, 'other targets can be set');

$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
