# Settings of a pipeline that do not hold any more (changed by hand, or left by
# another version) are that pipeline's trouble alone; names of target tables that
# would be others than those that rows were sent to.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		CREATE PUBLICATION items FOR TABLE items;
		SQL
	tables => [ 'orders', 'items' ],
	publication => 'TABLE orders',
	settings => ['flush_interval=0']);

query($node, <<~'SQL');
	SELECT dbmazz.create_pipeline('items', publication => 'items', slot => 'items', copy => false,
		settings => '{flush_interval=0}');
	SQL
$node->run_pipeline('postgres', 'items');

# The pipeline's settings, past all checks.
sub store
{
	my ($settings) = @_;
	query($node, "UPDATE dbmazz.pipeline SET settings = '{$settings}' WHERE name = 'shop'");
	return;
}

sub last_error
{
	return query($node, <<~'SQL');
		SELECT concat_ws(E'\n', last_error, last_error_detail, last_error_hint)
		FROM dbmazz.stat_pipeline WHERE name = 'shop'
		SQL
}

# The text of the error that a statement raises.
sub error_of
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	isnt($status, 0, "refused: $sql");
	return $err;
}

# ---- settings that do not hold -----------------------------------------------------

store('flush_interval=never');
$node->restart;
$node->wait_for_state('postgres', 'items', 'streaming');
$node->wait_for_state('postgres', 'shop', 'failed');
like(last_error(), qr/invalid value for parameter "dbmazz\.flush_interval".*alter_pipeline/s,
	'the pipeline says what is wrong and what to do');
query($node, "INSERT INTO items VALUES (1, 'a')");
$node->wait_for_target('postgres', 'items');
dbmazz::Compare::rows_equal($node, 'postgres', 'items', $target, 'shop.items');
like(error_of(q(SELECT dbmazz.start_pipeline('shop'))), qr/dbmazz\.flush_interval/, 'it cannot be started');

store('flush_interval=0,no_such_setting=1');
like(error_of(q(SELECT dbmazz.start_pipeline('shop'))), qr/unrecognized pipeline setting "no_such_setting"/,
	'nor with a setting that does not exist');
query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{No_Such_Setting=DEFAULT}')));
is(query($node, q(SELECT settings FROM dbmazz.pipelines WHERE name = 'shop')), '{flush_interval=0}',
	'which can be taken away');
$node->run_pipeline('postgres', 'shop');
query($node, "INSERT INTO orders VALUES (1, 'a')");
same_rows($node, $target, 'orders');

# A pipeline that runs goes on until its workers look again.
store('flush_interval=never');
query($node, q(SELECT dbmazz.alter_pipeline('items', settings => '{flush_interval=1ms}')));
query($node, "INSERT INTO orders VALUES (2, 'a')");
same_rows($node, $target, 'orders');
query($node, 'SELECT pg_terminate_backend(decoder_pid) FROM dbmazz.stat_pipeline WHERE name = $$shop$$');
$node->wait_for_state('postgres', 'shop', 'failed');
like(last_error(), qr/dbmazz\.flush_interval/, 'the workers fail the pipeline as well');
store('flush_interval=0');
query($node, "INSERT INTO orders VALUES (3, 'a')");
$node->run_pipeline('postgres', 'shop');
same_rows($node, $target, 'orders');

# ---- other names of target tables -----------------------------------------------------

# Set the server's template; a pipeline must not take it for its next rows.
sub set_template
{
	my ($template) = @_;
	$node->append_conf('postgresql.conf', "dbmazz.table_name_template = '$template'\n");
	return;
}

$target->sql('CREATE TABLE new_orders (id INT NOT NULL, note STRING) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)', 'shop');

set_template('new_{table}');
$node->restart;
$node->wait_for_state('postgres', 'shop', 'failed');
like(last_error(), qr/table_name_template is not the one.*"\{table\}".*"new_\{table\}".*alter_pipeline/s,
	'with other names it does not go on');
query($node, "INSERT INTO orders VALUES (5, 'a')");
is($target->count('shop', 'new_orders'), 0, 'no row goes to another table');

set_template('{table}');
$node->reload;
$node->run_pipeline('postgres', 'shop');
same_rows($node, $target, 'orders');

# An explicit command is another matter: the new target has all rows so far.
query($node, q(SELECT dbmazz.stop_pipeline('shop')));
$node->wait_for_state('postgres', 'shop', 'stopped');
$target->sql('INSERT INTO new_orders SELECT * FROM orders', 'shop');
query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{"table_name_template=new_{table}"}')));
query($node, "UPDATE orders SET note = 'b' WHERE id > 2");
$node->run_pipeline('postgres', 'shop');
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'orders', $target, 'shop.new_orders');

# But not while a table is behind, whose place is known by the old name.
query($node, "ALTER TABLE orders ADD more int; INSERT INTO orders VALUES (6, 'a', 1)");
wait_for_stop($node, 'new_orders');
query($node, q(SELECT dbmazz.stop_pipeline('shop')));
$node->wait_for_state('postgres', 'shop', 'stopped');
like(error_of(q(SELECT dbmazz.alter_pipeline('shop', settings => '{table_name_template=DEFAULT}'))),
	qr/target table "new_orders" is behind/, 'a table that has stopped keeps its name');
$target->sql('ALTER TABLE new_orders ADD COLUMN more INT', 'shop');
$node->run_pipeline('postgres', 'shop');
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'orders', $target, 'shop.new_orders');

$node->stop;
done_testing();
