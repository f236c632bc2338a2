# Bank.pm - money that transactions move between tables, and a reader of the target
#
#   use dbmazz::Bank;
#   my $node = bank_node($sandbox);     # pipeline "p", atomic = transaction
#   my $reader = start_reader($sandbox);
#   ...                                 # start_load($node), kill this, cut that
#   my ($looks, @broken) = stop_reader($reader);
#   same_bank($node, $sandbox, 'after that');
#
# left and right have balances, moves has what went from one to the other. A reader
# that sees all of a transaction or nothing always finds the same sum. After
# with_large_values() half of the rows of left are updated in part.

package dbmazz::Bank;

use strict;
use warnings;

use Exporter 'import';
use HTTP::Tiny;
use JSON::PP;
use POSIX qw(_exit);
use PostgreSQL::Test::Utils ();
use Test::More;

use dbmazz::Compare;
use dbmazz::Load;
use dbmazz::Node;

our @EXPORT = qw(bank_node with_large_values large_groups large_moves wait_for_decoder
  start_reader looks_of stop_reader same_bank);

my $accounts = 50;
my $money = 100;
my $tables = <<~"SQL";
	CREATE TABLE bank_left (id int PRIMARY KEY, n bigint NOT NULL, note text);
	ALTER TABLE bank_left ALTER note SET STORAGE EXTERNAL;
	CREATE TABLE bank_right (id int PRIMARY KEY, n bigint NOT NULL);
	CREATE TABLE moves (id bigserial PRIMARY KEY, amount bigint NOT NULL, day date);
	CREATE PUBLICATION dbmazz_pub FOR TABLE bank_left, bank_right, moves;

	CREATE FUNCTION churn() RETURNS void LANGUAGE plpgsql AS \$\$
	DECLARE
		account int := 1 + (random() * ($accounts - 1))::int;
		x bigint := (random() * 20)::int - 10;
	BEGIN
		UPDATE bank_left SET n = n - x WHERE id = account;
		CASE (random() * 3)::int
		WHEN 0 THEN
			-- an account that goes and comes again, with what it had
			WITH gone AS (DELETE FROM bank_right WHERE id = account RETURNING n)
			INSERT INTO bank_right SELECT -account, n + x FROM gone;
			UPDATE bank_right SET id = account WHERE id = -account;
		ELSE
			UPDATE bank_right SET n = n + x WHERE id = account;
		END CASE;
		INSERT INTO moves (amount) VALUES (x - 1), (1);
	END \$\$;
	SQL

sub bank_node
{
	my ($sandbox, %options) = @_;
	my $node = dbmazz::Node->start_new('main', sandbox => $sandbox, database => 'shop',
		conf => settle_settings() . "dbmazz.atomic = transaction\n" . ($options{conf} // ''));
	$node->safe_psql('postgres', $tables);
	$node->create_target('postgres', "public.$_", $sandbox, 'shop') for qw(bank_left bank_right moves);
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('p', copy => false)));
	$node->run_pipeline('postgres', 'p');
	$node->safe_psql('postgres', <<~"SQL");
		BEGIN;
		INSERT INTO bank_left SELECT g, $money, 'a' FROM generate_series(1, $accounts) g;
		INSERT INTO bank_right SELECT g, $money FROM generate_series(1, $accounts) g;
		INSERT INTO moves (amount) VALUES (0);
		COMMIT;
		SQL
	$node->wait_for_target('postgres', 'p');
	return $node;
}

# Settings with which groups are as large as 4 MB, and late after 2 s.
sub large_groups
{
	return <<~'CONF';
		dbmazz.pipeline_buffer_size = 4MB
		dbmazz.batch_max_rows = 100000
		dbmazz.batch_max_bytes = 64MB
		dbmazz.starrocks_load_timeout = 2s
		CONF
}

# Transactions of all tables, of 8 kB each, with new accounts of these numbers.
sub large_moves
{
	my ($first, $last) = @_;
	return join '', map { "BEGIN; INSERT INTO bank_left VALUES ($_, 1, repeat('x', 8000));
		INSERT INTO bank_right VALUES ($_, -1); INSERT INTO moves (amount) VALUES (-1); COMMIT;\n" } $first .. $last;
}

# What has committed so far is in batches.
sub wait_for_decoder
{
	my ($node) = @_;
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
	$node->safe_psql('postgres', q(SELECT pg_logical_emit_message(false, 'test', 'behind it')));
	wait_until('all to be decoded', sub {
		$node->safe_psql('postgres', "SELECT decoded_lsn >= '$lsn' FROM dbmazz.stat_pipeline WHERE name = 'p'") eq 't';
	});
	return;
}

sub with_large_values
{
	my ($node) = @_;
	$node->safe_psql('postgres', q(UPDATE bank_left SET note = repeat('a', 5000) WHERE id % 2 = 0));
	return;
}

# One statement sees one state of all tables.
my $look = <<~'SQL';
	SELECT (SELECT sum(n) FROM bank_left), (SELECT sum(n) FROM bank_right),
		(SELECT sum(amount) FROM moves), (SELECT count(*) FROM moves)
	SQL

# A process that looks again and again, while the target is there, and keeps what it
# saw that must not be.  It ends with the test.
sub start_reader
{
	my ($sandbox) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/looks';
	my $url = $sandbox->url . '/_sandbox/sql?db=shop';
	my $pid = fork() // die "fork: $!";
	return { pid => $pid, file => $file } if $pid;

	my $http = HTTP::Tiny->new(timeout => 20);
	my ($looks, @broken) = (0);
	my $stop = 0;
	my $test = getppid();
	local $SIG{TERM} = sub { $stop = 1 };
	while (!$stop && getppid() == $test)
	{
		my $answer = $http->post($url, { content => $look });
		if ($answer->{success})
		{
			my ($left, $right, $moved, $n) = @{ decode_json($answer->{content})->{rows}[0] };
			$looks++;
			push @broken, "left $left, right $right, moved $moved in $n"
			  if $left + $right != 2 * $accounts * $money || $right - $moved != $accounts * $money;
		}
		open my $out, '>', "$file.new" or _exit(1);
		print {$out} encode_json([ $looks, @broken ]);
		close $out;
		rename "$file.new", $file;
		pause($answer->{success} ? 0.005 : 0.1);
	}
	_exit(0);
}

# The number of looks so far, and what they saw that is not right.
sub looks_of
{
	my ($reader) = @_;
	return (0) unless -e $reader->{file};
	return @{ decode_json(PostgreSQL::Test::Utils::slurp_file($reader->{file})) };
}

sub stop_reader
{
	my ($reader) = @_;
	kill 'TERM', $reader->{pid};
	waitpid $reader->{pid}, 0;
	return looks_of($reader);
}

sub same_bank
{
	my ($node, $sandbox, $when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->wait_for_target('postgres', 'p');
	rows_equal($node, 'postgres', "public.$_", $sandbox, "shop.$_", name => "$_: source = target $when")
	  for qw(bank_left bank_right moves);
	return;
}

1;
