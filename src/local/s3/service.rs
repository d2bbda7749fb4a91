//! The S3 operations over a folder.
//!
//! `s3s-fs` does the streaming, the checksums and the multipart uploads, in a scratch folder, from where finished objects are
//! moved to their place. What it does not do, or does in a way that files written by other processes confuse, is done here:
//! listings, conditions, ETags (its stored ones outlive the content), deletion, and no file beside the buckets.

use std::{fs, io, os::unix::fs::symlink};

use s3s::{S3, S3Request, S3Response, S3Result, dto::*, s3_error};

use super::{
    disk::etag,
    folder::{Asked, DONE, Folder, PAGE, failed, lock},
    listing,
};

/// A key as a continuation token, which has to survive XML.
fn token(key: &str) -> String {
    key.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn from_token(token: &str) -> S3Result<String> {
    let digits: Vec<u8> = token
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|d| u8::try_from(d).ok())
        .collect();
    let bytes = digits
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect();
    String::from_utf8(bytes).map_err(|_| s3_error!(InvalidArgument, "the continuation token is none of this server's"))
}

#[async_trait::async_trait]
impl S3 for Folder {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.files.create_bucket(req).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&req.input.bucket)?;
        self.files.head_bucket(req).await
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.bucket(&req.input.bucket)?;
        self.files.get_bucket_location(req).await
    }

    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(req).await
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        let folder = self.bucket(&req.input.bucket)?;
        match fs::remove_dir(folder) {
            Ok(()) => Ok(S3Response::new(DeleteBucketOutput {})),
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Err(s3_error!(e, BucketNotEmpty)),
            Err(e) => Err(failed(e)),
        }
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let encode = input
            .encoding_type
            .as_ref()
            .is_some_and(|e| e.as_str() == EncodingType::URL);
        let most = input.max_keys.unwrap_or(PAGE);
        let page = self
            .page(Asked {
                bucket: &input.bucket,
                prefix: input.prefix.as_deref(),
                delimiter: input.delimiter.as_deref(),
                after: input.marker.clone(),
                most,
                encode,
            })
            .await?;
        Ok(S3Response::new(ListObjectsOutput {
            contents: Some(page.contents),
            common_prefixes: Some(page.prefixes),
            is_truncated: Some(page.more.is_some()),
            next_marker: page.more.map(|key| if encode { listing::encoded(&key) } else { key }),
            delimiter: input.delimiter,
            encoding_type: input.encoding_type,
            marker: input.marker,
            max_keys: Some(most),
            name: Some(input.bucket),
            prefix: input.prefix,
            ..ListObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let encode = input
            .encoding_type
            .as_ref()
            .is_some_and(|e| e.as_str() == EncodingType::URL);
        let most = input.max_keys.unwrap_or(PAGE);
        let from = input.continuation_token.as_deref().map(from_token).transpose()?;
        let page = self
            .page(Asked {
                bucket: &input.bucket,
                prefix: input.prefix.as_deref(),
                delimiter: input.delimiter.as_deref(),
                after: from.max(input.start_after.clone()),
                most,
                encode,
            })
            .await?;
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(page.contents.len() + page.prefixes.len()).ok(),
            contents: Some(page.contents),
            common_prefixes: Some(page.prefixes),
            is_truncated: Some(page.more.is_some()),
            next_continuation_token: page.more.as_deref().map(token),
            continuation_token: input.continuation_token,
            delimiter: input.delimiter,
            encoding_type: input.encoding_type,
            max_keys: Some(most),
            name: Some(input.bucket),
            prefix: input.prefix,
            start_after: input.start_after,
            ..ListObjectsV2Output::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let (path, file) = self.object(&input.bucket, &input.key)?;
        Self::holds(input.if_match.as_ref(), &path)?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(file.len()).ok(),
            e_tag: Some(ETag::Strong(etag(&file))),
            last_modified: file.modified().ok().map(Timestamp::from),
            metadata: self.remembered(&input.bucket, &input.key),
            ..HeadObjectOutput::default()
        }))
    }

    async fn get_object(&self, mut req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let (path, file) = self.object(&bucket, &key)?;
        Self::holds(req.input.if_match.take().as_ref(), &path)?;
        if let Some(unwanted) = req.input.if_none_match.take()
            && Self::holds(Some(&unwanted), &path).is_ok()
        {
            return Err(s3_error!(NotModified));
        }
        // Whether it may be read, before `s3s-fs` takes that for its absence.
        fs::File::open(&path).map_err(failed)?;
        let mut answer = self.files.get_object(req).await?;
        answer.output.e_tag = Some(ETag::Strong(etag(&file)));
        answer.output.metadata = self.remembered(&bucket, &key);
        Ok(answer)
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        if let Some(marker) = key.strip_suffix('/') {
            // The marker that some programs leave for a folder.
            fs::create_dir_all(self.target(&bucket, marker)?).map_err(failed)?;
            return Ok(S3Response::new(PutObjectOutput::default()));
        }
        let target = self.target(&bucket, &key)?;
        let (if_match, if_none_match) = (req.input.if_match.take(), req.input.if_none_match.take());
        let metadata = req.input.metadata.take();
        let name = self.fresh();
        DONE.clone_into(&mut req.input.bucket);
        req.input.key.clone_from(&name);
        let mut answer = self.noting(self.uploads.put_object(req).await);
        self.forget_notes();
        let from = self.scratch.join(DONE).join(name);
        if let Ok(answer) = &mut answer {
            answer.output.e_tag = Some(self.place(&from, &target, if_match.as_ref(), if_none_match.as_ref())?);
            self.remember(bucket, key, metadata);
        } else {
            let _ = fs::remove_file(from);
        }
        answer
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = req.input;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let (source, _) = self.object(bucket, key)?;
        Self::holds(input.copy_source_if_match.as_ref(), &source)?;
        if input.copy_source_if_none_match.is_some()
            || input.copy_source_if_modified_since.is_some()
            || input.copy_source_if_unmodified_since.is_some()
        {
            return Err(s3_error!(NotImplemented));
        }
        let target = self.target(&input.bucket, &input.key)?;
        let replaces = input
            .metadata_directive
            .as_ref()
            .is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
        let metadata = if replaces {
            input.metadata
        } else {
            self.remembered(bucket, key)
        };
        let from = self.scratch.join(DONE).join(self.fresh());
        self.noting(tokio::fs::copy(&source, &from).await.map_err(failed))?;
        let e_tag = self.place(&from, &target, None, None)?;
        self.remember(input.bucket, input.key, metadata);
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(e_tag),
                last_modified: fs::metadata(&target)
                    .and_then(|m| m.modified())
                    .ok()
                    .map(Timestamp::from),
                ..CopyObjectResult::default()
            }),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        let folder = self.bucket(&input.bucket)?;
        self.delete(&folder, &input.key, input.if_match.as_ref())?;
        self.remember(input.bucket, input.key, None);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = req.input;
        let folder = self.bucket(&input.bucket)?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            let condition = object.e_tag.map(ETagCondition::ETag);
            match self.delete(&folder, &object.key, condition.as_ref()) {
                Ok(()) => {
                    self.remember(input.bucket.clone(), object.key.clone(), None);
                    deleted.push(DeletedObject {
                        key: Some(object.key),
                        ..DeletedObject::default()
                    });
                }
                Err(e) => errors.push(Error {
                    code: Some(e.code().as_str().to_owned()),
                    key: Some(object.key),
                    ..Error::default()
                }),
            }
        }
        let quiet = input.delete.quiet == Some(true);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        self.target(&bucket, &key)?;
        let metadata = req.input.metadata.take();
        DONE.clone_into(&mut req.input.bucket);
        req.input.key = self.fresh();
        let mut answer = self.uploads.create_multipart_upload(req).await?;
        if let (Some(id), Some(metadata)) = (answer.output.upload_id.clone(), metadata) {
            lock(&self.pending).insert(id, metadata);
        }
        answer.output.bucket = Some(bucket);
        answer.output.key = Some(key);
        Ok(answer)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.noting(self.uploads.upload_part(req).await)
    }

    async fn upload_part_copy(
        &self,
        mut req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let CopySource::Bucket { bucket, key, .. } = &req.input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let (source, _) = self.object(bucket, key)?;
        Self::holds(req.input.copy_source_if_match.take().as_ref(), &source)?;
        // Uploads know the scratch folder only: there, a link leads to the source.
        let name = self.fresh();
        let link = self.scratch.join(DONE).join(&name);
        symlink(&source, &link).map_err(failed)?;
        req.input.copy_source = CopySource::Bucket {
            bucket: DONE.into(),
            key: name.into(),
            version_id: None,
        };
        let answer = self.noting(self.uploads.upload_part_copy(req).await);
        let _ = fs::remove_file(link);
        answer
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.uploads.list_parts(req).await
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let target = self.target(&bucket, &key)?;
        let (if_match, if_none_match) = (req.input.if_match.take(), req.input.if_none_match.take());
        let metadata = lock(&self.pending).remove(&req.input.upload_id);
        let name = self.fresh();
        DONE.clone_into(&mut req.input.bucket);
        req.input.key.clone_from(&name);
        self.noting(self.uploads.complete_multipart_upload(req).await)?;
        self.forget_notes();
        let from = self.scratch.join(DONE).join(name);
        let e_tag = self.place(&from, &target, if_match.as_ref(), if_none_match.as_ref())?;
        self.remember(bucket.clone(), key.clone(), metadata);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: Some(e_tag),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        lock(&self.pending).remove(&req.input.upload_id);
        self.uploads.abort_multipart_upload(req).await
    }
}
