/*
 * shipper_label.c
 *		The labels of a lane, and what the catalogs say of them.
 *
 * NOTES
 *	  Labels.  A lane numbers its loads; a retry keeps label and bytes.  Before a
 *	  label is used, the catalogs must cover it: the lane's row says "all labels
 *	  of this epoch below 'sequence' are final", and no label at or beyond
 *	  sequence + LABEL_WINDOW is used; of groups, none beyond sequence.  So a later
 *	  life has to look at no more than LABEL_WINDOW labels to be sure that no load
 *	  of this one can still commit.
 */
#include "postgres.h"

#include "debug_point.h"
#include "shipper_private.h"
#include "utils/memutils.h"
#include "worker.h"

void
dbmazz_lane_format_label(const Lane *lane, const char *uid, uint64 epoch,
						 uint64 sequence, char *out)
{
	DbmazzLabel label;

	strlcpy(label.uid, uid, sizeof(label.uid));
	label.epoch = epoch;
	label.lane = lane->lane;
	label.sequence = sequence;
	dbmazz_label_format(&label, out);
}

/*
 * Make the catalogs cover the label that is about to be used, and no old ones; and
 * the place that a TRUNCATE is about to be sent to, or none.
 */
void
dbmazz_lane_cover_label(DbmazzShipper *s, Lane *lane, const char *place)
{
	static const DbmazzMark none = {InvalidXLogRecPtr, 0};
	ListCell   *lc;
	/* a later life must not take the end of a group's attempt for that of another */
	uint64		window = lane == s->group.lane ? 1 : LABEL_WINDOW;
	bool		same_place = place == NULL || lane->place == NULL ?
	place == lane->place : strcmp(place, lane->place) == 0;

	if (lane->settled && lane->sequence < lane->durable + window && same_place)
		return;
	dbmazz_worker_begin();
	dbmazz_catalog_set_lane(s->id, lane->target, lane->relid, lane->source,
							s->epoch, lane->sequence, place, &lane->done,
							lane == s->group.lane ? &s->group.sent : &none);
	foreach(lc, lane->old)
	{
		const OldLabels *old = lfirst(lc);

		if (old->is_dropped)
			dbmazz_catalog_forget_lane(s->destination, lane->target, old->uid,
									   old->epoch);
	}
	dbmazz_worker_commit();
	DBMAZZ_DEBUG_POINT("label_covered");
	if (!same_place)
	{
		if (lane->place != NULL)
			pfree(lane->place);
		lane->place = place != NULL ? MemoryContextStrdup(s->cxt, place) : NULL;
	}
	list_free_deep(lane->old);
	lane->old = NIL;
	lane->durable = lane->sequence;
	lane->row_has_load = false;
	lane->settled = true;
}

/* Where the sink would send a TRUNCATE now, or NULL; in the batch's memory. */
const char *
dbmazz_lane_truncate_place(DbmazzShipper *s, Lane *lane)
{
	size_t		len;
	char	   *place;

	if (s->routine->place == NULL)
		return NULL;
	len = s->routine->place(s->sink, NULL, 0);
	if (len == 0)
		return NULL;
	place = MemoryContextAlloc(lane->cxt, len + 1);
	(void) s->routine->place(s->sink, place, len + 1);
	return place;
}

/* ---- their end --------------------------------------------------------------- */

bool
dbmazz_lane_is_unsettled(const Lane *lane)
{
	return !lane->settled && lane->nsettled < list_length(lane->old);
}

/*
 * Labels of an earlier life, or of a pipeline that is gone: none of their loads
 * may commit any more.
 */
void
dbmazz_lane_settle(DbmazzShipper *s, Lane *lane)
{
	const OldLabels *old = list_nth(lane->old, lane->nsettled);
	int			i;

	for (i = 0; i < LABEL_WINDOW; i++)
	{
		dbmazz_lane_format_label(lane, old->uid, old->epoch,
								 old->sequence + i, lane->old_labels[i]);
		lane->old_label_list[i] = lane->old_labels[i];
	}
	lane->request.labels = lane->old_label_list;
	lane->request.nlabels = LABEL_WINDOW;
	lane->request.of_groups = lane == s->group.lane;
	lane->request.place = old->place;
	dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_SETTLE);
}

void
dbmazz_lane_settle_doubt(DbmazzShipper *s, Lane *lane)
{
	lane->old_label_list[0] = lane->label;
	lane->request.labels = lane->old_label_list;
	lane->request.nlabels = 1;
	lane->request.of_groups = lane == s->group.lane;
	lane->request.place = lane->place;
	dbmazz_lane_start_request(s, lane, DBMAZZ_REQUEST_SETTLE);
}
