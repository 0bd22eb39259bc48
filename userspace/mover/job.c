// SPDX-License-Identifier: GPL-2.0-or-later
/* One end of a job: its options, its counters, its failure, and what it reports. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control.h"

void hearth_options_init(struct hearth_options *opt)
{
	*opt = (struct hearth_options){
		.fsync = HEARTH_FSYNC_END,
		.block_bytes = 512u << 10,
		.timeout_s = 60,
		.uid = UINT32_MAX,
		.gid = UINT32_MAX,
		.bytes_per_s = HEARTH_UNLIMITED,
		.max_delete = HEARTH_UNLIMITED,
	};
}

void hearth_job_init(struct hearth_job *job, const struct hearth_options *opt)
{
	memset(job, 0, sizeof(*job));
	job->opt = *opt;
	job->stream_fd = -1;
	job->base_fd = -1;
	pthread_mutex_init(&job->lock, NULL);
	pthread_mutex_init(&job->berths_lock, NULL);
	pthread_cond_init(&job->failed, NULL);
}

void hearth_job_exit(struct hearth_job *job)
{
	pthread_cond_destroy(&job->failed);
	pthread_mutex_destroy(&job->berths_lock);
	pthread_mutex_destroy(&job->lock);
}

void hearth_job_fail(struct hearth_job *job, enum hearth_exit code, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&job->lock);
	if (!job->is_failed) {
		job->is_failed = true;
		job->exit_code = code;
		va_start(args, format);
		vsnprintf(job->failure, sizeof(job->failure), format, args);
		va_end(args);
		pthread_cond_broadcast(&job->failed);
		if (job->cancel)
			job->cancel(job->cancel_ctx);
	}
	pthread_mutex_unlock(&job->lock);
}

void hearth_job_forgive(struct hearth_job *job)
{
	pthread_mutex_lock(&job->lock);
	job->is_failed = false;
	pthread_mutex_unlock(&job->lock);
}

enum hearth_exit hearth_job_result(struct hearth_job *job)
{
	enum hearth_exit code = HEARTH_EXIT_OK;

	pthread_mutex_lock(&job->lock);
	if (job->is_failed)
		code = job->exit_code;
	else if (job->count.errors)
		code = HEARTH_EXIT_PARTIAL;
	else if (job->count.vanished)
		code = HEARTH_EXIT_VANISHED;
	else if (job->count.files_kept)
		code = HEARTH_EXIT_UNDELETED;
	pthread_mutex_unlock(&job->lock);
	return code;
}

void hearth_job_count_note(struct hearth_job *job, enum hearth_severity severity)
{
	if (severity == HEARTH_NOTE_ERROR)
		job->count.errors++;
	if (severity == HEARTH_NOTE_VANISHED)
		job->count.vanished++;
	if (severity == HEARTH_NOTE_KEPT)
		job->count.files_kept++;
}

void hearth_job_tell(struct hearth_job *job, enum hearth_severity severity, const char *path,
		     const char *text)
{
	hearth_job_count_note(job, severity);
	if (!job->note)
		return;
	pthread_mutex_lock(&job->lock);
	job->note(job->note_ctx, severity, path, text);
	pthread_mutex_unlock(&job->lock);
}

void hearth_job_note(struct hearth_job *job, enum hearth_severity severity, const char *path,
		     const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	hearth_job_tell(job, severity, path, text);
	/* The names of what is done interest only the end that prints them. */
	if (job->peer && !(severity == HEARTH_NOTE_ITEM && job->note))
		hearth_control_send_note(job->peer, severity, path, text);
}
