"""A small S3 client: what the scenarios need to see in a bucket and to put into it."""

import datetime
import hashlib
import hmac
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree


def digest(data):
    return hashlib.sha256(data).hexdigest()


class S3:
    """One bucket of one server. `endpoint` has a scheme, `http://10.0.0.1:9000`; the bucket stands in the path."""

    def __init__(self, endpoint, bucket, access_key, secret_key, region="us-east-1"):
        self.endpoint, self.bucket, self.region = endpoint.rstrip("/"), bucket, region
        self.access_key, self.secret_key = access_key, secret_key

    def other(self, bucket):
        """The same server's bucket of that name."""
        return S3(self.endpoint, bucket, self.access_key, self.secret_key, self.region)

    def request(self, method, key="", query=None, body=b""):
        """Sends a signed request (AWS Signature Version 4); gives the body, raises urllib's HTTPError."""
        path = "/" + urllib.parse.quote(f"{self.bucket}/{key}" if key else self.bucket)
        pairs = sorted((query or {}).items())
        text = "&".join(f"{urllib.parse.quote(k, safe='')}={urllib.parse.quote(v, safe='')}" for k, v in pairs)
        now = datetime.datetime.now(datetime.timezone.utc)
        moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        host = urllib.parse.urlsplit(self.endpoint).netloc
        headers = {"host": host, "x-amz-content-sha256": digest(body), "x-amz-date": moment}
        names = ";".join(headers)
        canonical = "\n".join([method, path, text, *(f"{k}:{v}" for k, v in headers.items()), "", names, digest(body)])
        scope = f"{day}/{self.region}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", moment, scope, digest(canonical.encode())])
        secret = ("AWS4" + self.secret_key).encode()
        for part in (day, self.region, "s3", "aws4_request"):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        del headers["host"]
        address = self.endpoint + path + (f"?{text}" if text else "")
        request = urllib.request.Request(address, data=body or None, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def keys(self, prefix=""):
        """The keys that start with `prefix`, sorted; markers of folders are left out."""
        keys, query = [], {"list-type": "2", "prefix": prefix}
        while True:
            root = ElementTree.fromstring(self.request("GET", query=query))
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            keys += [entry.findtext(f"{space}Key") for entry in root.iter(f"{space}Contents")]
            token = root.findtext(f"{space}NextContinuationToken")
            if not token:
                return sorted(key for key in keys if not key.endswith("/"))
            query["continuation-token"] = token

    def get(self, key):
        """An object's bytes, None where there is none."""
        try:
            return self.request("GET", key)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def put(self, key, data):
        self.request("PUT", key, body=data)

    def delete(self, key):
        self.request("DELETE", key)

    def clear(self, prefix):
        """Deletes all keys that start with `prefix`."""
        for key in self.keys(prefix):
            self.delete(key)

    def create_bucket(self):
        self.request("PUT")

    def delete_bucket(self):
        self.request("DELETE")
